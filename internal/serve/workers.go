package serve

import (
	"context"
	"time"

	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

// trimTime is how long a worker stays warm without work.
const trimTime = 250 * time.Millisecond

// workers are the goroutines of a Dispatcher, whose mu guards all of this. Jobs are taken in their
// order, by idle workers if there are some, otherwise by new ones: so none waits behind a handler, and
// deep stacks are grown once.
//
// While jobs wait, one worker is on its way to take the first. It sends the next one on its way before
// it begins, and whoever is done takes the next job before it parks. So n jobs that come at once and
// take little time wake few workers, and n that wait for each other have n.
type workers struct {
	d      *Dispatcher
	jobs   ring
	waking bool      // a worker is on its way
	idle   []*worker // last in, first out
	least  int       // the fewest idle since the trimmer has last run
	trim   *time.Timer
	alive  int     // idle ones included
	all    *worker // these, linked by next
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
	p.jobs.push(j)
	if !p.waking || !tuning.Chain {
		p.wakeLocked()
	}
}

// wakeLocked has one more worker on its way.
func (p *workers) wakeLocked() {
	p.waking = true
	if n := len(p.idle) - 1; n >= 0 {
		w := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		p.least = min(p.least, n)
		w.wake <- struct{}{} // has a slot, and w is idle
		return
	}
	p.alive++
	w := newWorker(p.d)
	p.enterLocked(w)
	go w.loop()
}

// arrive returns a job for w, which was on its way; nil if somebody else has taken it, and w is idle. It
// reports false if w is not needed any more.
func (p *workers) arrive(w *worker) (j job, needed bool) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.waking = false
	return p.takeLocked(w)
}

// next is arrive for w, which has done a job. It has served ran if that is not nil.
func (p *workers) next(w *worker, ran *request) (j job, needed bool) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if !tuning.Chain {
		p.parkLocked(w)
		if ran != nil {
			p.d.endedLocked(ran)
		}
		return nil, !p.closed
	}
	if ran != nil {
		waking := p.waking
		p.waking = true // w is: it takes what can begin now
		p.d.endedLocked(ran)
		p.waking = waking
	}
	return p.takeLocked(w)
}

func (p *workers) takeLocked(w *worker) (j job, needed bool) {
	if j = p.jobs.pop(); j == nil {
		p.parkLocked(w)
		return nil, !p.closed
	}
	if !p.jobs.isEmpty() && !p.waking && tuning.Chain {
		p.wakeLocked()
	}
	return j, true
}

// parkLocked makes w idle, unless it is not needed any more.
func (p *workers) parkLocked(w *worker) {
	if p.closed {
		return
	}
	p.idle = append(p.idle, w)
	if p.trim == nil {
		p.trim = time.AfterFunc(trimTime, p.trimIdle)
	}
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
		close(w.wake)
	}
	p.idle = append([]*worker(nil), p.idle[n:]...)
}

// gone is called by each worker at its end. It has been serving w.ran, and has not parked since, if
// that is not nil.
func (p *workers) gone(w *worker) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.removeLocked(w)
	if w.ran != nil {
		p.d.endedLocked(w.ran)
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

// keepRing is how many places an empty ring may keep.
const keepRing = 1024

// ring is a queue of jobs.
type ring struct {
	slots   []job // a power of two of them
	head, n int
}

func (q *ring) isEmpty() bool { return q.n == 0 }

func (q *ring) push(j job) {
	if q.n == len(q.slots) {
		q.grow()
	}
	q.slots[(q.head+q.n)&(len(q.slots)-1)] = j
	q.n++
}

func (q *ring) grow() {
	slots := make([]job, max(8, 2*len(q.slots)))
	n := copy(slots, q.slots[q.head:])
	copy(slots[n:], q.slots[:q.head])
	q.slots, q.head = slots, 0
}

// pop returns the first job, nil if there is none.
func (q *ring) pop() job {
	if q.n == 0 {
		return nil
	}
	j := q.slots[q.head]
	q.slots[q.head] = nil
	q.head = (q.head + 1) & (len(q.slots) - 1)
	if q.n--; q.n == 0 && len(q.slots) > keepRing {
		*q = ring{}
	}
	return j
}

// A job is something for a worker to do. A *request is the job of serving it.
type job interface{ do(w *worker) }

// task is a job that needs no worker in particular.
type task func()

func (t task) do(*worker) { t() }

// worker is a goroutine that does one job after another.
type worker struct {
	d     *Dispatcher
	wake  chan struct{} // one slot: it is on its way; closed when it is not needed any more
	codec requestCodec
	ran   *request // what it has served and not told the dispatcher of
	now   now      // what it is at

	prev, next *worker // in workers.all
}

func newWorker(d *Dispatcher) *worker {
	return &worker{d: d, wake: make(chan struct{}, 1), codec: requestCodec{d: d}}
}

// loop is the goroutine of w, which is on its way.
func (w *worker) loop() {
	p := &w.d.workers
	defer p.gone(w)
	for ok := true; ok; _, ok = <-w.wake {
		j, needed := p.arrive(w)
		for j != nil {
			j.do(w)
			ran := w.ran
			w.ran = nil
			j, needed = p.next(w, ran)
		}
		if !needed {
			return
		}
	}
}

func (r *request) do(w *worker) {
	if r.Kind == message.Notification {
		defer w.d.handled(r)
		w.handleNotification(r)
	} else {
		w.serve(r)
	}
}

func (w *worker) handleNotification(r *request) {
	l := w.d.host.Link
	if !r.early {
		l.Working(1) // before Release: an orderly end waits for it
		l.Release(r.Size, true)
	}
	defer l.Working(-1)
	w.serve(r)
}

// serve runs the method that r calls, in this goroutine. A panic in it ends the process, as with
// net/rpc, or is answered; its own Goexit is answered with an error.
func (w *worker) serve(r *request) {
	w.ran = r
	w.codec.request = r
	returned := false
	defer func() {
		if !returned {
			w.answerPanicOrGoexit(r, recover())
		}
		w.countEnd()
		w.codec.end()
	}()
	if w.d.isListing(r) {
		w.codec.list()
		returned = true
		return
	}
	w.codec.begin()
	w.countBegin()
	// Its error is about the call, and has been answered.
	_ = w.d.cfg.Server.ServeRequest(&w.codec)
	returned = true
}
