package rpcpipe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// BenchmarkChecksum is about what Options.Checksum costs: calls with it and without, to a child each.
func BenchmarkChecksum(b *testing.B) {
	start := func(checksum bool) *rpcpipe.Peer {
		here := newService()
		p, err := rpcpipe.Start(b.Context(), procspawn.Self("service"), &rpcpipe.Options{Server: here.server, Checksum: checksum})
		require.NoError(b, err)
		here.use(p)
		b.Cleanup(func() { p.Close() })
		return p
	}
	with, without := start(true), start(false)
	for _, c := range []struct {
		name string
		size int
	}{{"lone call", 10}, {"4 KiB", 4 << 10}, {"64 KiB", 64 << 10}, {"1 MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			echo := func(p *rpcpipe.Peer) func(n int) {
				msg := make([]byte, c.size)
				return func(n int) {
					for range n {
						var back []byte
						if err := p.Call("Service.Echo", msg, &back); err != nil || len(back) != len(msg) {
							b.Fatal(len(back), err)
						}
					}
				}
			}
			compare(b, contender{"plain", echo(without)}, contender{"checksum", echo(with)})
		})
	}
}
