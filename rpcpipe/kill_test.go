package rpcpipe_test

import (
	"os"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

func killProcess(peer *rpcpipe.Peer) error {
	p, err := os.FindProcess(peer.Process().Pid())
	if err != nil {
		return err
	}
	return p.Kill()
}
