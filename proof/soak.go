package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// What this process may hold more at the end than after a third of the time, when caches and pools are
// full. It is measured when nothing is in flight.
const (
	growBytes      = 8 << 20
	growGoroutines = 150 // workers are kept while warm, as many as a burst has needed
)

// soak has 200 goroutines on either side do one thing after another, a second for each trial. In some
// of them the child is stopped for a moment.
func soak(t *trials) {
	before := rpctest.TakeCensus()
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("rest"), options())
	if err != nil {
		t.found("unknown error", "start: %v", err)
		return
	}
	go echoStreams(p)
	var base, last usage
	for i := range t.trials {
		if !soakSecond(t, p, i) {
			break
		}
		last = measure()
		if i <= t.trials/3 {
			base = last
		}
		t.next()
	}
	if last.heap > base.heap+growBytes {
		t.found("growth", "heap from %d to %d bytes", base.heap, last.heap)
	}
	if last.descriptors > base.descriptors {
		t.found("growth", "descriptors from %d to %d", base.descriptors, last.descriptors)
	}
	if last.goroutines > base.goroutines+growGoroutines {
		t.found("growth", "goroutines from %d to %d", base.goroutines, last.goroutines)
	}
	t.notes["heap at a third and at the end"] = fmt.Sprintf("%.1f and %.1f MiB", mib(base.heap), mib(last.heap))
	p.Close()
	p.Wait()
	for _, left := range before.Left() {
		t.found("left behind", "%s", left)
	}
}

// soakSecond is a second of soak. It reports whether there can be another.
func soakSecond(t *trials, p *rpcpipe.Peer, n int) bool {
	const goroutines = 200
	stop := make(chan struct{})
	l := loadUntil(p, goroutines, t.seed+uint64(n), stop)
	var there Data
	call := p.Go("Service.Work", &Data{N: goroutines, Depth: n}, &there, nil)
	<-time.After(time.Second)
	if n%5 == 4 {
		syscall.Kill(p.Process().Pid(), syscall.SIGSTOP)
		<-time.After(100 * time.Millisecond)
		syscall.Kill(p.Process().Pid(), syscall.SIGCONT)
		t.figures["pauses"]++
	}
	close(stop)
	if !within(t, l.done, "soak: calls") {
		return false
	}
	l.report(t)
	select {
	case <-call.Done:
	case <-time.After(patience):
		t.found("hang", "soak: calls of the child")
		return false
	}
	t.figures["operations done"] += there.N
	if call.Error != nil {
		t.found("unknown error", "of the child: %v", call.Error)
	}
	if err := p.Err(); err != nil {
		t.found("wrong answer", "the link has ended: %v", err)
		return false
	}
	return true
}

// usage is what this process holds.
type usage struct {
	heap                    uint64
	goroutines, descriptors int
}

func measure() usage {
	runtime.GC()
	runtime.GC() // pools are empty behind the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return usage{m.HeapAlloc, runtime.NumGoroutine(), len(files)}
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }
