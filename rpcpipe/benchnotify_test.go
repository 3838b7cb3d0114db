package rpcpipe_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	// The loop child serves what comes, one after another, with nothing around it.
	children["loop"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		codec, server := viaduct.NewServerCodec(link), newService().server
		for server.ServeRequest(codec) != io.EOF {
		}
	}
}

// BenchmarkNotifyLoop compares notifications with a bare loop of ServeRequest over the same kind of
// pipes, which decodes the same messages, written as fast as it takes them.
func BenchmarkNotifyLoop(b *testing.B) {
	p, link := benchPeer(b), benchLink(b, "loop")
	answers := make([]byte, 64<<10)
	const batch = 1000
	notes := bytes.Repeat([]byte("\x93\x02\xacService.Note\x91\xce\x00\x01\x00\x00"), batch)
	compare(b,
		contender{"loop", func(n int) {
			for range n/batch + 1 {
				if _, err := link.Write(notes); err != nil {
					b.Fatal(err)
				}
			}
			n = (n/batch + 1) * batch
			_, err := link.Write([]byte("\x94\x00\x01\xacService.Sync\x91\xce" + string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})))
			require.NoError(b, err)
			if _, err := link.Read(answers); err != nil {
				b.Fatal(err)
			}
		}},
		contender{"peer", sendNotes(b, p, 1)},
		contender{"8peer", sendNotes(b, p, 8)},
	)
}

// sendNotes sends n notes, rounded up to thousands, from several goroutines, and waits until they
// have been served.
func sendNotes(b *testing.B, p *rpcpipe.Peer, senders int) func(n int) {
	return func(n int) {
		n = (n/1000 + 1) * 1000
		var sending sync.WaitGroup
		for range senders {
			sending.Go(func() {
				for range n / senders {
					if err := p.Notify(b.Context(), "Service.Note", 1<<16); err != nil {
						panic(err)
					}
				}
			})
		}
		sending.Wait()
		if err := p.Call("Service.Sync", n, nil); err != nil {
			b.Fatal(err)
		}
	}
}
