package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// MapOptions adjust [Map]. Nil and zero fields mean the defaults.
type MapOptions struct {
	// Unordered has results come as they are there. Default: in the order of the arguments.
	Unordered bool
}

// A Job is one call by [Map].
type Job[A, R any] struct {
	Index  int // of the argument, from 0
	Arg    A
	Reply  R             // zero with an error
	Worker string        // the child that has had it last, such as "worker[3]"; "" if none has
	Took   time.Duration // in that child
}

// Map calls method with each of args in the children of p, and ranges over the results:
//
//	for job, err := range rpcpipe.Map[Size](ctx, pool, "Img.Size", slices.Values(paths), nil)
//
// Each error is a [*JobError] of that job alone; the others go on. Jobs wait for a child, and are
// repeated, as with [Pool.CallContext].
//
// A slot is what one job of a child takes: there are PoolOptions.MaxSize times Concurrency, of
// which Map uses 4,096 at most. Two jobs for each slot, at most, run or wait at one time. If
// results come in the order of the arguments, up to sixteen for each slot wait behind a slow one.
// So args may be endless, and larger than memory. It is the goroutine that ranges which asks for
// the next argument: where args waits, results wait with it.
//
// When the loop is left, jobs that run are given up, and Map returns when their calls have. When
// ctx ends, or the Pool does, the jobs that were begun fail; and if args has been left before its
// end, one more error, whose Job has the Index of the first argument that was not begun, says so.
//
// The loop can be run several times, and each time begins anew.
func Map[R, A any](ctx context.Context, p *Pool, method string, args iter.Seq[A], o *MapOptions) iter.Seq2[Job[A, R], error] {
	var opts MapOptions
	if o != nil {
		opts = *o
	}
	return func(yield func(Job[A, R], error) bool) {
		m := newMapping[A, R](ctx, p, method, opts)
		defer m.end() // also if args or yield panics
		cut := false
		for arg := range args {
			if cut = m.over(); cut {
				break
			}
			m.begin(arg)
			for m.hasNext() || m.isFull() {
				if !m.hasNext() {
					m.take(<-m.ended)
				} else if !yield(m.next()) {
					return
				}
			}
		}
		for m.open > 0 {
			if !yield(m.next()) {
				return
			}
		}
		if cut {
			yield(Job[A, R]{Index: m.begun}, m.notBegun())
		}
	}
}

// A result is a Job that has ended.
type result[A, R any] struct {
	job Job[A, R]
	err error
}

// A mapping is one loop over a Map. It belongs to the goroutine that ranges.
type mapping[A, R any] struct {
	ctx     context.Context
	cancel  context.CancelFunc
	p       *Pool
	method  string
	ordered bool
	places  int // that the children have, at most
	jobs    sync.WaitGroup
	ended   chan result[A, R] // has a slot for each job that can be open

	begun   int                  // arguments that were asked for
	running int                  // jobs whose result has not come
	open    int                  // jobs whose result was not given out
	come    int                  // results
	results map[int]result[A, R] // that have come and were not given out, by their place in the order
	given   int                  // results that were given out: the next one has this place
}

// maxPlaces is for how many places a Map has jobs at most.
const maxPlaces = 4096

func newMapping[A, R any](ctx context.Context, p *Pool, method string, o MapOptions) *mapping[A, R] {
	m := &mapping[A, R]{p: p, method: method, ordered: !o.Unordered, results: make(map[int]result[A, R])}
	m.places = maxPlaces
	if p.opts.Concurrency < maxPlaces/p.opts.MaxSize {
		m.places = p.opts.MaxSize * p.opts.Concurrency
	}
	m.ctx, m.cancel = context.WithCancel(ctx)
	m.ended = make(chan result[A, R], 2*m.places)
	return m
}

// begin begins a job.
func (m *mapping[A, R]) begin(arg A) {
	index := m.begun
	m.begun++
	m.running++
	m.open++
	j := job{p: m.p, method: m.method, index: index, asked: m.p.ask(m.ctx)} // here, so that they begin in their order
	m.jobs.Go(func() {
		r := result[A, R]{job: Job[A, R]{Index: index, Arg: arg}}
		r.err = j.run(m.ctx, func(ctx context.Context, peer *Peer) error {
			return peer.CallContext(ctx, m.method, r.job.Arg, &r.job.Reply)
		})
		r.job.Worker, r.job.Took = j.worker, j.took
		if r.err != nil {
			r.job.Reply = *new(R)
			r.err = j.named(r.err)
		}
		m.ended <- r
	})
}

// isFull reports whether a result has to be given out before one more job is begun.
func (m *mapping[A, R]) isFull() bool {
	return m.running >= 2*m.places || m.open >= 16*m.places
}

// take takes a result.
func (m *mapping[A, R]) take(r result[A, R]) {
	m.running--
	at := m.come
	if m.ordered {
		at = r.job.Index
	}
	m.results[at] = r
	m.come++
}

// hasNext reports whether next need not wait.
func (m *mapping[A, R]) hasNext() bool {
	for {
		select {
		case r := <-m.ended:
			m.take(r)
			continue
		default:
		}
		_, ok := m.results[m.given]
		return ok
	}
}

// next waits for the next result and gives it out.
func (m *mapping[A, R]) next() (Job[A, R], error) {
	for !m.hasNext() {
		m.take(<-m.ended)
	}
	r := m.results[m.given]
	delete(m.results, m.given)
	m.given++
	m.open--
	return r.job, r.err
}

// over reports whether no more jobs are to be begun.
func (m *mapping[A, R]) over() bool { return m.ctx.Err() != nil || !m.p.isOpen() }

// notBegun is the error that the rest of the arguments is left with.
func (m *mapping[A, R]) notBegun() error {
	err := m.ctx.Err()
	if err == nil {
		err = m.p.noChild(nil, 0)
	}
	return &JobError{Method: m.method, Index: m.begun, Err: fmt.Errorf("and none of the arguments behind it: %w", err)}
}

// end gives up what is running, and waits for that.
func (m *mapping[A, R]) end() {
	m.cancel()
	m.jobs.Wait()
}

// named makes err a *JobError, if it is none.
func (j *job) named(err error) error {
	if errors.As(err, new(*JobError)) {
		return err
	}
	return &JobError{Method: j.method, Index: j.index, Worker: j.worker, Attempts: j.attempts, Err: err}
}

func (p *Pool) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == poolOpen
}
