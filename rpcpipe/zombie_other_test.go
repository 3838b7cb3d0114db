//go:build !unix

package rpcpipe_test

import "testing"

func requireNoZombies(*testing.T) {}
