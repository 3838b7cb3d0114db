//go:build !unix && !windows

package rpcpipe_test

import "testing"

func requireNoZombies(*testing.T) {}
