package rpcpipe_test

import (
	"context"
	"io"
	"net/rpc"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The benchmarks measure each thing with viaduct and with net/rpc's own gob
// codec, over the same kind of pipes to a child of its own, in turns, and
// report the median ratio of the rounds: on a shared machine nothing else says
// much. CONTRIBUTING.md says how to run them.

func init() {
	children["gob service"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		newService().server.ServeConn(link)
	}
	children["ping-pong"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		buf := make([]byte, 64)
		for {
			n, err := link.Read(buf)
			if err != nil {
				return
			}
			link.Write(buf[:n])
		}
	}
	children["bare echo"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(3)
		}
		for {
			buf := make([]byte, 1<<20)
			if _, err := io.ReadFull(link, buf); err != nil {
				return
			}
			link.Write(buf)
		}
	}
}

func benchPeer(b *testing.B) *rpcpipe.Peer {
	here := newService()
	p, err := rpcpipe.Start(b.Context(), procspawn.Self("service"), &rpcpipe.Options{Server: here.server})
	require.NoError(b, err)
	here.use(p)
	b.Cleanup(func() { p.Close() })
	return p
}

func benchLink(b *testing.B, child string) *procspawn.Link {
	p, err := procspawn.Start(b.Context(), procspawn.Self(child), nil)
	require.NoError(b, err)
	b.Cleanup(func() { p.Stop() })
	return p.Link()
}

func benchGob(b *testing.B) *rpc.Client {
	c := rpc.NewClient(benchLink(b, "gob service"))
	b.Cleanup(func() { c.Close() })
	return c
}

// contender is somebody's way to do the same work n times.
type contender struct {
	name string
	run  func(n int)
}

// compare runs the contenders in turns. The metric NAME/first is how many
// times as long NAME takes as the first.
func compare(b *testing.B, contenders ...contender) {
	const rounds = 20
	n := max(b.N/rounds, 1)
	for _, c := range contenders {
		c.run(max(n/10, 1)) // warm
	}
	times := make([][]float64, len(contenders))
	b.ResetTimer()
	for range rounds {
		for i, c := range contenders {
			begin := time.Now()
			c.run(n)
			times[i] = append(times[i], float64(time.Since(begin))/float64(n))
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for i, c := range contenders {
		b.ReportMetric(median(times[i]), c.name+"-ns")
		if i > 0 {
			ratios := make([]float64, rounds)
			for r := range ratios {
				ratios[r] = times[i][r] / times[0][r]
			}
			b.ReportMetric(median(ratios), c.name+"/"+contenders[0].name)
		}
	}
}

func median(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

type caller interface {
	Call(serviceMethod string, args, reply any) error
}

func add(b *testing.B, c caller) func(n int) {
	return func(n int) {
		for i := range n {
			var sum int
			if err := c.Call("Service.Add", &Args{i, 1}, &sum); err != nil || sum != i+1 {
				b.Fatalf("%d + 1 = %d, %v", i, sum, err)
			}
		}
	}
}

func addFrom(b *testing.B, callers int, c caller) func(n int) {
	one := add(b, c)
	return func(n int) {
		var running sync.WaitGroup
		for range callers {
			running.Go(func() { one(n/callers + 1) })
		}
		running.Wait()
	}
}

func BenchmarkCall(b *testing.B) {
	p, link := benchPeer(b), benchLink(b, "ping-pong")
	buf := make([]byte, 64)
	compare(b,
		contender{"peer", add(b, p)},
		contender{"client", add(b, p.Client())},
		contender{"gob", add(b, benchGob(b))},
		contender{"pingpong", func(n int) {
			for range n {
				link.Write(buf[:40])
				if _, err := io.ReadFull(link, buf[:40]); err != nil {
					b.Fatal(err)
				}
			}
		}},
	)
}

func BenchmarkCall64(b *testing.B) {
	p := benchPeer(b)
	compare(b,
		contender{"peer", addFrom(b, 64, p)},
		contender{"client", addFrom(b, 64, p.Client())},
		contender{"gob", addFrom(b, 64, benchGob(b))},
	)
}

// BenchmarkNotify compares with calls over gob, which has no notifications:
// as many at once as there may be, none waited for one by one.
func BenchmarkNotify(b *testing.B) {
	p, g := benchPeer(b), benchGob(b)
	compare(b,
		contender{"peer", func(n int) {
			for i := range n {
				if err := p.Notify(b.Context(), "Service.Note", i); err != nil {
					b.Fatal(err)
				}
			}
			var notes []int
			if err := p.Call("Service.Notes", n, &notes); err != nil || len(notes) != n {
				b.Fatal(len(notes), err)
			}
		}},
		contender{"gob", func(n int) {
			done := make(chan *rpc.Call, n)
			for i := range n {
				g.Go("Service.Note", i, nil, done)
			}
			for range n {
				if call := <-done; call.Error != nil {
					b.Fatal(call.Error)
				}
			}
			if err := g.Call("Service.Notes", n, new([]int)); err != nil {
				b.Fatal(err)
			}
		}},
	)
}

func BenchmarkEcho1MiB(b *testing.B) {
	msg := make([]byte, 1<<20)
	echo := func(c caller) func(n int) {
		return func(n int) {
			for range n {
				var back []byte
				if err := c.Call("Service.Echo", msg, &back); err != nil || len(back) != len(msg) {
					b.Fatal(len(back), err)
				}
			}
		}
	}
	link := benchLink(b, "bare echo")
	compare(b,
		contender{"peer", echo(benchPeer(b))},
		contender{"gob", echo(benchGob(b))},
		contender{"bare", func(n int) {
			for range n {
				go link.Write(msg)
				if _, err := io.ReadFull(link, make([]byte, len(msg))); err != nil {
					b.Fatal(err)
				}
			}
		}},
	)
}
