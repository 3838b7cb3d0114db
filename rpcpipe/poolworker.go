package rpcpipe

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A worker is a Supervisor of a Pool: one child after another, of the same name. Its methods up,
// lost and drained are what its Supervisor calls.
type worker struct {
	// Immutable from addLocked on.
	pool       *Pool
	supervisor *Supervisor

	// Guarded by Pool.mu.
	place     *place    // where jobs go; nil: there is none now
	idleSince time.Time // when it had a job last
	jobs      uint64    // that it was given, ever
	running   int       // those that it has, in children that were replaced, too
	ended     bool      // no child will follow
}

// A place is a child of a worker, with its jobs. Guarded by Pool.mu.
type place struct {
	// Immutable.
	worker *worker
	child  *child
	left   chan struct{} // closed when it gets no more jobs

	running   int           // jobs that it has
	manned    bool          // it can be given jobs, or has some
	stuck     int           // of those, how many were given up and do not end
	served    int           // jobs that it was given
	due       int           // after so many jobs another child is started for it; if PoolOptions.RecycleJobs
	looked    time.Time     // when its memory was looked at
	replacing bool          // another child is being started for it
	blamed    bool          // it had a job when its link ended
	killed    bool          // because of jobs that do not end
	leaving   bool          // left is closed
	drained   chan struct{} // closed when it is leaving and all its jobs but stuck ones have ended
}

// addLocked makes a worker with the least free number. started is told how the start of its first
// child went, which ctx bounds.
func (p *Pool) addLocked(ctx context.Context, started func(error)) {
	number := slices.Index(p.workers, nil)
	if number < 0 {
		number = len(p.workers)
		p.workers = append(p.workers, nil)
	}
	opts := *p.opts.Supervise
	opts.Name = fmt.Sprintf("%s[%d]", opts.Name, number)
	w := &worker{pool: p, idleSince: time.Now()}
	w.supervisor = newSupervisor(p.start, p.makeCmd, opts)
	w.supervisor.keeper = w
	p.workers[number] = w
	p.alive[w] = struct{}{}
	p.running.Go(func() {
		err := w.supervisor.begin(ctx)
		started(err)
		p.gone(w, cmp.Or(w.supervisor.Wait(), err)) // it has ended in order if the first child cannot come
	})
}

// gone is called when the Supervisor of w has ended with err.
func (p *Pool) gone(w *worker, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.ended = true
	delete(p.alive, w)
	if len(p.alive) == 0 {
		p.endLocked(err, err)
	}
	p.idleLocked() // it may be one more than there have to be
}

// makeCmd is the command function of all children.
func (p *Pool) makeCmd(i Incarnation) (*exec.Cmd, error) {
	cmd, err := p.command(i)
	if err != nil || cmd == nil || cmd.Process != nil {
		return cmd, err
	}
	env := cmd.Environ()
	if !slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, threads+"=") }) {
		cmd.Env = append(env, p.threadsOfOne())
	}
	return cmd, nil
}

// threads is the variable that says how many a Go program computes with.
const threads = "GOMAXPROCS"

// threadsOfOne sets it to what a child has.
func (p *Pool) threadsOfOne() string {
	return threads + "=" + strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/p.opts.MaxSize))
}

// passesThreads reports whether Options.Env leaves it to a child, or sets it.
func passesThreads(env []string) bool {
	return slices.ContainsFunc(env, func(rule string) bool {
		name, _, _ := strings.Cut(rule, "=")
		prefix, many := strings.CutSuffix(name, "*")
		return name == threads || many && strings.HasPrefix(threads, prefix)
	})
}

// up has jobs go to c, in the place of the child before, if there is one.
func (w *worker) up(c *child) {
	p := w.pool
	p.latest.Store(c.peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := w.place; old != nil {
		p.leaveLocked(old)
	}
	w.place = &place{worker: w, child: c, left: make(chan struct{}), drained: make(chan struct{})}
	if n := p.opts.RecycleJobs; n > 0 {
		w.place.due = n - rand.N(n/4+1)
	}
	w.idleSince = time.Now()
	p.places[c.peer] = w.place
	p.up++
	p.manLocked(w.place)
	p.dispatchLocked()
	p.idleLocked() // there may be no job for it
}

// leaveLocked has no more jobs go to pl.
func (p *Pool) leaveLocked(pl *place) {
	if pl.leaving {
		return
	}
	pl.leaving = true
	close(pl.left)
	if pl.worker.place == pl {
		pl.worker.place = nil
		p.up--
	}
	pl.drainedLocked()
	p.manLocked(pl)
}

// manLocked counts pl in or out of those that work.
func (p *Pool) manLocked(pl *place) {
	manned := p.places[pl.child.peer] == pl && (!pl.leaving || pl.running > pl.stuck)
	switch {
	case manned == pl.manned:
		return
	case manned:
		p.manned++
	default:
		p.manned--
	}
	pl.manned = manned
	if p.manned == 0 || p.manned == 1 && manned {
		p.changeLocked()
	}
}

func (pl *place) drainedLocked() {
	if pl.leaving && pl.running == pl.stuck && !isClosed(pl.drained) {
		close(pl.drained)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lost is called when the link of c has ended.
func (w *worker) lost(c *child) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.places[c.peer]
	if pl == nil {
		return
	}
	delete(p.places, c.peer)
	pl.blamed = pl.blamed || pl.running > 0
	c.hadJob.Store(pl.blamed)
	p.leaveLocked(pl)
	p.manLocked(pl)
}

// drained waits until the jobs have ended that c has, or its link has.
func (w *worker) drained(c *child) {
	p := w.pool
	p.mu.Lock()
	pl := p.places[c.peer]
	p.mu.Unlock()
	if pl == nil {
		return
	}
	select {
	case <-pl.drained:
	case <-c.peer.Done():
	case <-p.life.Done():
	}
}

// takeLocked counts a job that pl gets.
func (p *Pool) takeLocked(pl *place) {
	pl.running++
	pl.worker.running++
	pl.served++
	pl.worker.jobs++
	if n := p.opts.RecycleJobs; n > 0 {
		if pl.served >= min(pl.due, n) {
			p.replaceLocked(pl)
		}
		if pl.served >= n {
			p.leaveLocked(pl)
		}
	}
}

// replaceLocked has another child take the place of pl.
func (p *Pool) replaceLocked(pl *place) {
	if !pl.replacing && p.state < poolEnding {
		pl.replacing = true
		p.running.Go(func() { p.replace(pl) })
	}
}

func (p *Pool) replace(pl *place) {
	select {
	case p.recycling <- struct{}{}:
		defer func() { <-p.recycling }()
	case <-pl.left: // there is no time to lose
	case <-pl.child.peer.Done():
		return
	case <-p.life.Done():
		return
	}
	if pl.worker.supervisor.Swap(p.life, nil) == nil {
		p.counts.recycled.Add(1)
		return
	}
	// The event has said why. It is tried again in due time, or, if it gets no more jobs, the
	// Supervisor does that, which has its own way with what does not come up.
	p.mu.Lock()
	pl.replacing = false
	pl.due = pl.served + p.opts.RecycleJobs/4 + 1
	leaving := pl.leaving
	p.mu.Unlock()
	if leaving {
		pl.worker.drained(pl.child)
		if p.goesOn(pl) {
			pl.child.peer.Close()
		}
	}
}

// memoryTime is how long the memory of a child is not looked at again.
const memoryTime = 10 * time.Millisecond

// lookLocked has pl replaced if it holds too much memory.
func (p *Pool) lookLocked(pl *place) {
	process := pl.child.peer.Process()
	if p.opts.RecycleMemory == 0 || process == nil || pl.leaving || time.Since(pl.looked) < memoryTime {
		return
	}
	pl.looked = time.Now()
	if process.Memory() > p.opts.RecycleMemory {
		p.replaceLocked(pl)
	}
}

// settle finds out when the method of a job that was given up has ended in pl. If it does not end
// in time the child is killed.
func (p *Pool) settle(pl *place, method string) {
	limited, cancel := context.WithTimeout(p.life, p.opts.GiveUpTime)
	defer cancel()
	err := pl.child.peer.endpoint.Settle(limited)
	if err == nil {
		p.release(pl, jobDone, method)
		return
	}
	select { // a child that cannot be asked has as much time
	case <-limited.Done():
	case <-pl.child.peer.Done():
	}
	stuck := 0
	if p.goesOn(pl) {
		stuck = 1
		p.mu.Lock()
		pl.stuck++
		p.diedLocked(pl)
		pl.drainedLocked()
		p.manLocked(pl)
		p.mu.Unlock()
		pl.worker.drained(pl.child)
		if p.goesOn(pl) {
			p.kill(pl, method)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pl.stuck -= stuck
	if isClosed(pl.child.peer.Done()) {
		p.diedLocked(pl)
	}
	p.overLocked(pl)
}

// goesOn reports whether neither the Pool nor the link of pl has ended, which end its jobs in their
// own way.
func (p *Pool) goesOn(pl *place) bool { return p.life.Err() == nil && !isClosed(pl.child.peer.Done()) }

// kill ends the child of pl, in which method goes on.
func (p *Pool) kill(pl *place, method string) {
	p.mu.Lock()
	isFirst := !pl.killed
	pl.killed = true
	p.mu.Unlock()
	if !isFirst {
		<-pl.child.peer.Done()
		return
	}
	p.counts.killed.Add(1)
	if logger := p.opts.Supervise.Peer.Logger; logger != nil {
		logger.Warn("viaduct: a job that was given up does not end: its child is killed",
			"name", pl.worker.supervisor.opts.Name, "method", method, "after", p.opts.GiveUpTime)
	}
	if process := pl.child.peer.Process(); process != nil {
		process.Kill()
	} else {
		pl.child.peer.Close()
	}
	<-pl.child.peer.Done()
}
