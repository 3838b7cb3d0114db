//go:build unix

package rpcpipe_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

const oneByte = "one byte"

func init() {
	programs[oneByte] = func([]string) { os.Stdout.Write([]byte{1}) }
}

// BenchmarkStart measures the time from the start of a child to its first reply, and to the first
// byte that the same program writes from main, in turns.
func BenchmarkStart(b *testing.B) {
	var bare, peer, more []float64
	for b.Loop() {
		first, second := startBare(b), startPeer(b)
		bare, peer, more = append(bare, ms(first)), append(peer, ms(second)), append(more, ms(second-first))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bare), "ms-bare")
	b.ReportMetric(median(peer), "ms-peer")
	b.ReportMetric(median(more), "ms-more")
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func startBare(b *testing.B) time.Duration {
	r, w, err := os.Pipe()
	require.NoError(b, err)
	defer r.Close()
	cmd := exec.Command(os.Args[0], oneByte)
	cmd.Stdout = w
	begin := time.Now()
	require.NoError(b, cmd.Start())
	_, err = r.Read(make([]byte, 1))
	took := time.Since(begin)
	require.NoError(b, err)
	w.Close()
	require.NoError(b, cmd.Wait())
	return took
}

func startPeer(b *testing.B) time.Duration {
	begin := time.Now()
	p, err := rpcpipe.Start(b.Context(), procspawn.Self("service"), nil)
	require.NoError(b, err)
	sum := 0
	require.NoError(b, p.Call("Service.Add", Args{20, 22}, &sum))
	took := time.Since(begin)
	require.NoError(b, p.Close())
	return took
}
