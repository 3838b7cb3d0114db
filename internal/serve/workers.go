package serve

import (
	"context"
	"time"
)

// trimTime is how long a worker stays warm without work.
const trimTime = 250 * time.Millisecond

// workers are the goroutines of a Dispatcher, whose mu guards all of this. A job goes to an
// idle one if there is one, otherwise to a new one: so a call never waits
// behind a handler, and deep stacks are grown once.
type workers struct {
	d      *Dispatcher
	idle   []*worker // last in, first out
	least  int       // the fewest idle since the trimmer has last run
	trim   *time.Timer
	alive  int // idle ones included
	closed bool
	none   chan struct{} // made by who waits for alive to be 0, and closed then
}

// Run has a worker run f.
func (d *Dispatcher) Run(f func()) { d.workers.run(task(f)) }

// RunOpen is Run, unless the link has ended: then nobody might wait for the worker, and it reports
// false.
func (d *Dispatcher) RunOpen(f func()) bool { return d.workers.runOpen(task(f)) }

// run has a worker do j.
func (p *workers) run(j job) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.runLocked(j)
}

// runOpen is run, unless the link has ended: then nobody might wait for the worker.
func (p *workers) runOpen(j job) bool {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.closed {
		return false
	}
	p.runLocked(j)
	return true
}

func (p *workers) runLocked(j job) {
	if n := len(p.idle) - 1; n >= 0 {
		w := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		p.least = min(p.least, n)
		w.jobs <- j // has a slot, and w is idle
		return
	}
	p.alive++
	go newWorker(p.d).loop(j)
}

// park makes w, which has served ran if that is not nil, idle; it may have a job at once. It
// reports false if w is not needed any more.
func (p *workers) park(w *worker, ran *request) bool {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if !p.closed {
		p.idle = append(p.idle, w)
		if p.trim == nil {
			p.trim = time.AfterFunc(trimTime, p.trimIdle)
		}
	}
	if ran != nil {
		p.d.endedLocked(ran)
	}
	return !p.closed
}

// trimIdle ends the workers that had nothing to do since it last ran.
func (p *workers) trimIdle() {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.closed {
		return
	}
	p.endIdle(p.least)
	p.least = len(p.idle)
	if len(p.idle) > 0 {
		p.trim.Reset(trimTime)
	} else {
		p.idle, p.trim = nil, nil
	}
}

// endIdle ends the n workers that are idle for the longest time. mu is held.
func (p *workers) endIdle(n int) {
	for _, w := range p.idle[:n] {
		close(w.jobs)
	}
	p.idle = append([]*worker(nil), p.idle[n:]...)
}

// gone is called by each worker at its end. It has been serving ran, and has not parked since, if
// that is not nil.
func (p *workers) gone(ran *request) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if ran != nil {
		p.d.endedLocked(ran)
	}
	p.alive--
	if p.alive == 0 && p.none != nil {
		close(p.none)
		p.none = nil
	}
}

func (p *workers) closeLocked() {
	p.closed = true
	if p.trim != nil {
		p.trim.Stop()
	}
	p.endIdle(len(p.idle))
}

// Workers returns how many workers there are, and how many of them are idle.
func (d *Dispatcher) Workers() (alive, idle int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.workers.alive, len(d.workers.idle)
}

// Wait waits until all workers have gone, or ctx has ended, and returns how many are left. It is
// for after Close, when nothing comes in any more.
func (d *Dispatcher) Wait(ctx context.Context) int {
	p := &d.workers
	p.d.mu.Lock()
	if p.alive == 0 {
		p.d.mu.Unlock()
		return 0
	}
	if p.none == nil {
		p.none = make(chan struct{})
	}
	none := p.none
	p.d.mu.Unlock()
	select {
	case <-none:
		return 0
	case <-ctx.Done():
		alive, idle := d.Workers()
		return alive - idle
	}
}
