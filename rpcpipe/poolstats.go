package rpcpipe

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/histogram"
)

// PoolStats says what a [Pool] has done and is doing.
type PoolStats struct {
	Workers []WorkerStats // by their numbers, but for those that were ended
	Up      int           // children that can be given jobs
	Running int           // jobs that children have, those that were given up and go on included
	Queue   int           // jobs that wait for a child

	Jobs     uint64 // ever
	Failed   uint64 // of them, those that were not done, and those whose method has failed
	Lost     uint64 // how often a child has died with a job
	Repeated uint64 // how often a job was given to one more child
	Recycled uint64 // children that were replaced because of PoolOptions.RecycleJobs or RecycleMemory
	Killed   uint64 // children that were killed because a job that was given up did not end

	Wait Latency // of jobs for a child
	Took Latency // of jobs in a child, until it was done or given up
}

// WorkerStats are those of one child after another.
type WorkerStats struct {
	Name    string
	Running int    // jobs that the child has, and those before it that finish
	Jobs    uint64 // that it, and those before it, were given
	Child   SupervisorStats
}

// Latency says how durations are distributed. The quantiles are up to an eighth too large.
type Latency struct {
	Count              uint64
	P50, P90, P99, Max time.Duration
}

func latencyOf(h *histogram.Histogram) Latency {
	count, values := h.Quantiles(0.5, 0.9, 0.99)
	return Latency{Count: count, P50: values[0], P90: values[1], P99: values[2], Max: h.Max()}
}

// poolCounts are those that jobs count.
type poolCounts struct {
	jobs, failed, lost, repeated, recycled, killed atomic.Uint64
	wait, took                                     histogram.Histogram
}

// Stats returns the numbers as they are now. It waits for nothing.
func (p *Pool) Stats() PoolStats {
	c := &p.counts
	s := PoolStats{
		Jobs: c.jobs.Load(), Failed: c.failed.Load(), Lost: c.lost.Load(),
		Repeated: c.repeated.Load(), Recycled: c.recycled.Load(), Killed: c.killed.Load(),
		Wait: latencyOf(&c.wait), Took: latencyOf(&c.took),
	}
	p.mu.Lock()
	s.Up, s.Queue = p.up, p.queue.Len()
	for _, pl := range p.places {
		s.Running += pl.running
	}
	workers := slices.DeleteFunc(slices.Clone(p.workers), func(w *worker) bool { return w == nil })
	for _, w := range workers {
		s.Workers = append(s.Workers, WorkerStats{Name: w.supervisor.opts.Name, Running: w.running, Jobs: w.jobs})
	}
	p.mu.Unlock()
	for i, w := range workers {
		s.Workers[i].Child = w.supervisor.Stats()
	}
	return s
}
