package main

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// load is what keeps a link busy, until that ends.
type load struct {
	done chan struct{} // closed when all of it has ended

	mu      sync.Mutex
	ops     int              // that have succeeded
	failed  map[string]int   // by the kind of finding, "" for none
	samples map[string]error // one of each kind
}

// loadOn has so many goroutines do one thing after another with p, until its link ends.
func loadOn(p *rpcpipe.Peer, goroutines int, seed uint64) *load {
	return loadUntil(p, goroutines, seed, nil)
}

// loadUntil is loadOn, until stop is closed.
func loadUntil(p *rpcpipe.Peer, goroutines int, seed uint64, stop <-chan struct{}) *load {
	l := &load{done: make(chan struct{}), failed: make(map[string]int), samples: make(map[string]error)}
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := op(p, r)
				l.note(err)
				if err != nil && p.Err() != nil {
					return
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(l.done)
	}()
	return l
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.ops++
		return
	}
	kind := ""
	switch {
	case errors.Is(err, errWrong):
		kind = "wrong answer"
	case !known(err):
		kind = "unknown error"
	}
	l.failed[kind]++
	if l.samples[kind] == nil {
		l.samples[kind] = err
	}
}

// report hands what was noted to t, when l is done.
func (l *load) report(t *trials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.figures["operations done"] += l.ops
	for kind, n := range l.failed {
		if kind == "" {
			t.figures["ended with the link"] += n
			continue
		}
		for range n {
			t.found(kind, "%v", l.samples[kind])
		}
	}
}
