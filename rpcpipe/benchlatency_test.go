package rpcpipe_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// BenchmarkBeside3MiB is about small calls, one after another, beside two callers
// that echo 3 MiB each: p99 is the time that 99 of 100 do not exceed. It needs a
// -benchtime of 20000x at least to mean anything.
func BenchmarkBeside3MiB(b *testing.B) {
	p := benchPeer(b)
	call := func(n int) []time.Duration {
		times := make([]time.Duration, n)
		for i := range times {
			begin := time.Now()
			if err := p.Call("Service.Add", &Args{1, 2}, new(int)); err != nil {
				b.Fatal(err)
			}
			times[i] = time.Since(begin)
		}
		slices.Sort(times)
		return times
	}
	call(1000) // warm
	idle := call(max(b.N, 100))
	stop := make(chan struct{})
	var echoes sync.WaitGroup
	var echoed [2]int
	begin := time.Now()
	for i := range echoed {
		echoes.Go(func() {
			msg := make([]byte, 3<<20)
			for {
				select {
				case <-stop:
					return
				default:
				}
				var back []byte
				if err := p.Call("Service.Echo", msg, &back); err != nil || len(back) != len(msg) {
					b.Error(len(back), err)
					return
				}
				echoed[i]++
			}
		})
	}
	b.ResetTimer()
	busy := call(max(b.N, 100))
	b.StopTimer()
	took := time.Since(begin)
	close(stop)
	echoes.Wait()
	p99 := func(times []time.Duration) float64 { return float64(times[len(times)*99/100].Microseconds()) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p99(idle), "idle-p99-us")
	b.ReportMetric(p99(busy), "busy-p99-us")
	b.ReportMetric(float64(busy[len(busy)/2].Microseconds()), "busy-p50-us")
	b.ReportMetric(p99(busy)/p99(idle), "busy/idle-p99")
	b.ReportMetric(float64(echoed[0]+echoed[1])*3/took.Seconds(), "echoed-MiB/s")
}

// BenchmarkIdleMemory reports what a link, and a stream, keep while nothing
// happens, in bytes on this side: heap and stacks.
func BenchmarkIdleMemory(b *testing.B) {
	const links, streams = 100, 1000
	inUse := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	var peers []*rpcpipe.Peer
	for range links {
		x, y := rpcpipe.Pair(nil, nil)
		peers = append(peers, x, y)
	}
	withLinks := inUse()
	for range streams {
		go peers[1].Accept()
		_, err := peers[0].Open(b.Context())
		require.NoError(b, err)
	}
	withStreams := inUse()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric((withLinks-before)/(2*links), "B/link")
	b.ReportMetric((withStreams-withLinks)/(2*streams), "B/stream")
	for _, p := range peers {
		p.Close()
	}
}
