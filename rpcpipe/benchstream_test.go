package rpcpipe_test

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The yardstick of large messages and of streams is the same number of bytes over a
// bare pipe pair. A sink reads rounds, each of which begins with its length,
// and answers each with a byte.

func init() {
	children["bare sink"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		sink(link)
	}
	children["bare messages"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		for {
			var head [8]byte
			if _, err := io.ReadFull(link, head[:]); err != nil {
				return
			}
			for range binary.LittleEndian.Uint64(head[:]) {
				if _, err := io.ReadFull(link, make([]byte, 1<<20)); err != nil {
					return
				}
			}
			link.Write(head[:1])
		}
	}
	children["stream sink"] = func([]string) {
		p := newService().use(connect(nil))
		for {
			conn, err := p.Accept()
			if err != nil {
				return
			}
			go sink(conn)
		}
	}
}

func sink(link io.ReadWriter) {
	buf := make([]byte, 64<<10)
	for {
		var head [8]byte
		if _, err := io.ReadFull(link, head[:]); err != nil {
			return
		}
		for left := int(binary.LittleEndian.Uint64(head[:])); left > 0; {
			n, err := link.Read(buf[:min(left, len(buf))])
			if err != nil {
				return
			}
			left -= n
		}
		link.Write(head[:1])
	}
}

// pour writes n times p to a sink and waits for its answer.
func pour(b *testing.B, link io.ReadWriter, n int, p []byte, announced int) {
	link.Write(binary.LittleEndian.AppendUint64(nil, uint64(announced)))
	for range n {
		if _, err := link.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := io.ReadFull(link, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStream64K and BenchmarkStream32K copy as io.Copy with a buffer of that size does.
func BenchmarkStream64K(b *testing.B) { benchStream(b, 64<<10) }
func BenchmarkStream32K(b *testing.B) { benchStream(b, 32<<10) }

func benchStream(b *testing.B, size int) {
	p, err := rpcpipe.Start(b.Context(), procspawn.Self("stream sink"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { p.Close() })
	conn, err := p.Open(b.Context())
	require.NoError(b, err)
	link := benchLink(b, "bare sink")
	buf := make([]byte, size)
	b.SetBytes(int64(size))
	compare(b,
		contender{"stream", func(n int) { pour(b, conn, n, buf, n*size) }},
		contender{"bare", func(n int) { pour(b, link, n, buf, n*size) }},
	)
}

// BenchmarkNotify1MiB sends notifications with 1 MiB each.
func BenchmarkNotify1MiB(b *testing.B) {
	p := benchPeer(b)
	link := benchLink(b, "bare messages")
	msg := make([]byte, 1<<20)
	b.SetBytes(1 << 20)
	compare(b,
		contender{"peer", func(n int) {
			for range n {
				if err := p.Notify(b.Context(), "Service.BigNote", msg); err != nil {
					b.Fatal(err)
				}
			}
			if err := p.Call("Service.Notes", n, new([]int)); err != nil {
				b.Fatal(err)
			}
		}},
		contender{"bare", func(n int) { pour(b, link, n, msg, n) }},
	)
}
