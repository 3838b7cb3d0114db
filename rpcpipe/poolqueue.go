package rpcpipe

import (
	"container/list"
	"context"
	"time"
)

// growTime is how long a job waits until one more child is started.
const growTime = 10 * time.Millisecond

// A waiter is a job that has asked for a place. at is guarded by Pool.mu.
type waiter struct {
	place chan *place   // gets one, when it is not in the queue any more
	since time.Time     // when it was asked for
	at    *list.Element // in the queue; nil: it is not there
}

// jobEnd is what becomes of the place of a job.
type jobEnd uint8

const (
	jobDone    jobEnd = iota // it is free
	jobExpired               // it is free, and the job was not begun in time
	jobGivenUp               // nobody waits for the job, which may go on
	jobRefused               // the child takes none, and has not begun it
	jobDied                  // the child has died with it
)

// ask asks for a place for a job. It waits for nothing. What it returns is to be awaited.
func (p *Pool) ask(ctx context.Context) *waiter {
	w := &waiter{place: make(chan *place, 1), since: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	var free *place
	if p.queue.Len() == 0 {
		free = p.freeLocked()
	}
	if pl := p.places[FromContext(ctx)]; free == nil && pl != nil && pl.stuck == 0 {
		free = pl // which waits for this
	}
	if free != nil {
		p.takeLocked(free)
		w.place <- free
		return w
	}
	w.at = p.queue.PushBack(w)
	p.growLocked()
	return w
}

// await returns the place that was asked for. The error is the context's, or a *NoChildError.
// waited is how long the job has waited while no child at all was up, which await adds to.
func (p *Pool) await(ctx context.Context, w *waiter, waited *time.Duration) (*place, error) {
	select {
	case pl := <-w.place:
		return pl, nil
	default:
	}
	timer := time.NewTimer(p.opts.Supervise.MaxWait)
	defer timer.Stop()
	for {
		p.mu.Lock()
		changed, none, over := p.changed, p.manned == 0, p.state >= poolEnding
		p.mu.Unlock()
		begin := time.Now()
		expired := timer.C
		if none {
			timer.Reset(p.opts.Supervise.MaxWait - *waited)
		} else {
			expired = nil
		}
		var pl *place
		var ended error
		again := false
		if !over {
			select {
			case pl = <-w.place:
			case <-changed:
				again = true
			case <-expired:
			case <-ctx.Done():
				ended = ctx.Err()
			}
		}
		if none {
			*waited = min(*waited+time.Since(begin), p.opts.Supervise.MaxWait)
		}
		switch {
		case pl != nil:
			return pl, nil
		case again:
			continue
		}
		p.withdraw(w)
		if ended != nil && !none {
			return nil, ended
		}
		return nil, p.noChild(ended, *waited)
	}
}

// withdraw takes w out of the queue, or gives back the place that it has got.
func (p *Pool) withdraw(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.at != nil {
		p.queue.Remove(w.at)
		w.at = nil
		return
	}
	pl := <-w.place
	pl.served--
	pl.worker.jobs--
	p.overLocked(pl)
}

// freeLocked returns the place whose worker has the fewest jobs, and room for one more; nil if none
// has. What a child does that was replaced counts: or there would be ever more jobs, and processes,
// at once.
func (p *Pool) freeLocked() (best *place) {
	for _, w := range p.workers {
		if w == nil || w.place == nil || w.running >= p.opts.Concurrency {
			continue
		}
		if best == nil || w.running < best.worker.running {
			best = w.place
		}
	}
	return best
}

// dispatchLocked gives jobs that wait to places that are free.
func (p *Pool) dispatchLocked() {
	for p.queue.Len() > 0 {
		pl := p.freeLocked()
		if pl == nil {
			return
		}
		w := p.queue.Remove(p.queue.Front()).(*waiter)
		w.at = nil
		p.takeLocked(pl)
		w.place <- pl // has a slot
	}
}

// release is called when pl has a job no more, or nobody waits for that, which method says.
func (p *Pool) release(pl *place, end jobEnd, method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch end {
	case jobGivenUp:
		if p.state < poolEnding {
			p.running.Go(func() { p.settle(pl, method) }) // which releases it
		}
		return
	case jobDied:
		p.diedLocked(pl)
	case jobRefused:
		p.leaveLocked(pl)
	}
	p.lookLocked(pl)
	p.overLocked(pl)
}

// diedLocked is called when pl has died with a job, or is to.
func (p *Pool) diedLocked(pl *place) {
	pl.blamed = true
	pl.child.hadJob.Store(true)
	p.leaveLocked(pl)
}

// overLocked is called when pl has one job less.
func (p *Pool) overLocked(pl *place) {
	pl.running--
	pl.worker.running--
	pl.drainedLocked()
	p.manLocked(pl)
	if pl.worker.running == 0 {
		pl.worker.idleSince = time.Now()
		p.idleLocked()
	}
	p.dispatchLocked()
}

// growLocked has it looked later whether one more child is needed.
func (p *Pool) growLocked() {
	if !p.growing && p.state < poolEnding && p.sizeLocked() < p.opts.MaxSize {
		p.growing = true
		time.AfterFunc(growTime, p.grow)
	}
}

// grow starts one more child if jobs have waited for it.
func (p *Pool) grow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.growing = false
	if p.queue.Len() == 0 || p.state >= poolEnding || p.sizeLocked() >= p.opts.MaxSize {
		return
	}
	if time.Since(p.queue.Front().Value.(*waiter).since) >= growTime {
		p.addLocked(p.life, func(error) {})
	}
	p.growLocked()
}

// sizeLocked is how many workers there are.
func (p *Pool) sizeLocked() (n int) {
	for _, w := range p.workers {
		if w != nil {
			n++
		}
	}
	return n
}

// idleLocked has it looked later whether children are not needed any more.
func (p *Pool) idleLocked() {
	if p.idling == nil && p.state < poolEnding && p.sizeLocked() > p.opts.Size {
		p.idling = time.AfterFunc(p.opts.IdleTimeout, p.shrink)
	}
}

// shrink ends children beyond Size that have had no job for long enough.
func (p *Pool) shrink() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idling = nil
	if p.state >= poolEnding {
		return
	}
	size, next := p.sizeLocked(), p.opts.IdleTimeout
	living := 0 // what no child will follow in is no reason to end one that is up
	for _, w := range p.workers {
		if w != nil && !w.ended {
			living++
		}
	}
	for i := len(p.workers) - 1; i >= 0 && size > p.opts.Size; i-- {
		w := p.workers[i]
		if w == nil || w.running > 0 || !w.ended && (living <= p.opts.Size || w.place == nil && p.queue.Len() > 0) {
			continue
		}
		left := p.opts.IdleTimeout - time.Since(w.idleSince)
		if left > 0 {
			next = min(next, left)
			continue
		}
		size--
		if !w.ended {
			living--
		}
		p.workers[i] = nil
		if w.place != nil {
			p.leaveLocked(w.place)
		}
		p.running.Go(func() { w.supervisor.Shutdown(context.Background()) })
	}
	if size > p.opts.Size {
		p.idling = time.AfterFunc(next, p.shrink)
	}
	if p.queue.Len() > 0 { // there may be room for one more
		p.growLocked()
	}
}
