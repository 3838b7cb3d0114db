//go:build !unix

package rpctest

import "errors"

func stopSelf() error { return errors.New("rpctest: Stop: this system cannot stop a process") }
