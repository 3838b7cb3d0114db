package rpcpipe

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/histogram"
	"github.com/viaduct-go/viaduct/procspawn"
)

// A Supervisor keeps one child running, and hands calls to the one that is up: see [Supervise]. Its
// methods may be called from any goroutine.
//
// A call that was in flight when its child died fails with what the child's [Peer] says. It is made
// again, to the next child, if it is certain that its method was not begun there (the error is
// [viaduct.ErrNotBegun], and the child is down or shuts its link down), or if the method is
// SuperviseOptions.Idempotent. Calls that find no child wait for one: see [Supervisor.CallContext].
// The contexts of calls, their metadata and deadlines reach each child; Options.CallHook is called
// each time.
//
// A method of this side that serves a call of a child, and is to call that child back, takes it from
// [FromContext], not from the Supervisor, whose child may be another one by then. The children share
// Options.Server: state that belongs to one of them is to be kept by its Peer.
type Supervisor struct {
	// Immutable.
	opts     SuperviseOptions // complete
	start    startFunc
	life     context.Context // ends when no child is started any more
	endLife  context.CancelFunc
	swapping chan struct{} // one slot, held by the Swap that is at work
	retired  chan struct{} // a slot for each old child that finishes
	ended    chan struct{} // closed when nothing of the Supervisor runs any more
	events   eventQueue
	keeper   keeper // nil unless it is one of a Pool
	label    string // what it is called by DebugHandler

	// current is what calls go to, nil while none is up. latest is what they went to last: calls that
	// wait for a child are encoded for that. Both are stored under mu.
	current, latest atomic.Pointer[child]

	counts  supervisorCounts
	running sync.WaitGroup // all but the events; grows under mu, before state is final
	stderr  sync.Mutex     // held while opts.Stderr is written to

	mu           sync.Mutex // guards what follows
	state        SupervisorState
	changed      chan struct{}      // closed, and made anew, when something of the rest has changed
	command      commandFunc        // of the next child
	incarnation  Incarnation        // of the latest start
	restarts     restarts           // decides when the next child is started
	stopRecovery context.CancelFunc // has the goroutine that is to bring the next child leave it; may be nil
	why          error              // why no child is up; nil while one is, and before the first
	failure      error              // what Wait returns
	starting     int                // children that are being started, and have no Peer yet
	children     map[*child]struct{}
}

// A keeper is told which child of a [Supervisor] can be called, under its lock but for drained. It
// has the first child tried again if it does not come up.
type keeper interface {
	up(c *child)      // it can be, and the one before gets no more calls
	lost(c *child)    // its link has ended
	drained(c *child) // waits until it has no more calls
}

// A SupervisorState is what a [Supervisor] is about.
//
//	state        what happens                           to
//	Starting     the first child is ready               Up
//	             it cannot be started                   Ending, or Lost in a Pool
//	Up           the child's link ends                  Lost
//	             a child of Swap is ready               Up, with that
//	Lost         the child was waited for               Backoff
//	             none is to follow it                   Ending
//	Backoff      the time is over                       Restarting
//	Restarting   the child is ready                     Up
//	             it cannot be started                   Backoff, or Ending
//	Lost, Backoff, Restarting: a child of Swap is ready Up
//	all before   Shutdown, Close                        Ending
//	Ending       everything has ended                   Down
type SupervisorState uint8

const (
	StateStarting   SupervisorState = iota // the first child is being started
	StateUp                                // a child can be called
	StateLost                              // the child has ended, and is waited for
	StateBackoff                           // the time until the next start has to pass
	StateRestarting                        // the next child is being started
	StateEnding                            // no child will be started any more; those that live, end
	StateDown                              // nothing runs any more
)

// final reports whether no child is started any more.
func (s SupervisorState) final() bool { return s >= StateEnding }

// String returns the name of s, such as "backoff".
func (s SupervisorState) String() string {
	return [...]string{"starting", "up", "lost", "backoff", "restarting", "ending", "down"}[s]
}

// maxRetired is how many children that were swapped out may be finishing at once.
const maxRetired = 4

func newSupervisor(start startFunc, command commandFunc, opts SuperviseOptions) *Supervisor {
	s := &Supervisor{
		opts:     opts,
		start:    start,
		swapping: make(chan struct{}, 1),
		retired:  make(chan struct{}, maxRetired),
		ended:    make(chan struct{}),
		changed:  make(chan struct{}),
		command:  command,
		restarts: restarts{Restart: opts.Restart},
		children: make(map[*child]struct{}),
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	s.running.Add(1) // Supervise itself
	s.events.start(s)
	return s
}

// changeLocked has whoever waits for a change look again.
func (s *Supervisor) changeLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// setLocked changes the state. why says why no child is up then.
func (s *Supervisor) setLocked(state SupervisorState, why error) {
	s.state, s.why = state, why
	s.changeLocked()
}

// spawn runs f in a goroutine that Wait waits for. It reports false if it is too late for that.
func (s *Supervisor) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.final() {
		return false
	}
	s.running.Go(f)
	return true
}

// errClosed is why no child is up when Shutdown or Close has been called.
var errClosed = errors.New("the Supervisor was closed")

// end has no more children started. why says why.
func (s *Supervisor) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(why, nil)
}

// endLocked is end. failure is what Wait is to return.
func (s *Supervisor) endLocked(why, failure error) {
	if s.state.final() {
		return
	}
	s.failure = failure
	if c := s.current.Load(); c != nil {
		c.leave(why)
	}
	s.setLocked(StateEnding, why)
	s.endLife()
	go s.finish()
}

// finish waits for everything, and then says so.
func (s *Supervisor) finish() {
	s.running.Wait()
	live.leaveSupervisor(s)
	s.mu.Lock()
	s.setLocked(StateDown, s.why)
	s.emitLocked(Event{Kind: EventEnded, Err: s.failure})
	s.mu.Unlock()
	s.events.end()
	close(s.ended)
}

// alive returns the children that have not been waited for, when none is being started any more.
func (s *Supervisor) alive() (list []*child) {
	for {
		s.mu.Lock()
		changed, starting := s.changed, s.starting
		for c := range s.children {
			list = append(list, c)
		}
		s.mu.Unlock()
		if starting == 0 {
			return list
		}
		list = nil
		<-changed
	}
}

// Shutdown has no more children started and ends those there are in order, as [Peer.Shutdown] does,
// within Options.ShutdownTimeout and ctx: calls in flight finish. Calls that wait for a child fail
// at once. Its error is that of the Peer's Shutdown, nil if no child is up. A method that serves a
// call of the child may call it with the context of its call: see there.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	s.end(errClosed)
	return s.endAll(func(c *child) error {
		s.mu.Lock()
		isCalled := !c.ready.IsZero()
		s.mu.Unlock()
		if !isCalled || c.peer.Err() != nil { // or it has died before, as calls may have said already
			return c.peer.Close()
		}
		err := c.peer.Shutdown(ctx)
		if c.hadJob.Load() && ctx.Err() == nil { // the job has said how it has died
			return nil
		}
		return err
	})
}

// Close has no more children started and ends those there are at once, as [Peer.Close] does, also
// those that were swapped out. It returns when they have been waited for, and always nil. It may be
// called at any time, also in SuperviseOptions.Events and Ready, in Options.OnExit and in a method.
func (s *Supervisor) Close() error {
	s.end(errClosed)
	return s.endAll(func(c *child) error { return c.peer.Close() })
}

// endAll ends all children at the same time.
func (s *Supervisor) endAll(end func(*child) error) error {
	children := s.alive()
	errs := make([]error, len(children))
	var ending sync.WaitGroup
	for i, c := range children {
		ending.Go(func() { errs[i] = end(c) })
	}
	ending.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Wait waits until no child runs and none will be started, and all that the library runs for them
// has ended: handlers, as [Peer.Wait] has it, events, and calls by Go and by clients. It does not
// end anything itself.
//
// It returns nil after Shutdown and Close, and when the child has exited with status 0 (see
// Restart.OnSuccess). Otherwise it returns why none is started any more: a [*RestartLimitError], or
// what is of no use to try again, as a program that is not there or does not fit.
//
// Do not call it in a handler, in Options.OnExit or in SuperviseOptions.Events: it waits for them.
func (s *Supervisor) Wait() error {
	<-s.ended
	return s.failure
}

// exitOf returns how the process of c has ended, nil if it had none.
func exitOf(c *child, end error) *procspawn.Exit {
	var start *procspawn.StartError
	switch {
	case c.peer != nil && c.peer.Process() != nil:
		return c.peer.Process().Exit()
	case errors.As(end, &start):
		return start.Exit
	}
	return nil
}

// SupervisorStats says what a [Supervisor] has done and is doing.
type SupervisorStats struct {
	State    SupervisorState
	Starts   int           // of children, ever, those that failed included
	Restarts int           // of them, those that were made because a child had ended
	Pid      int           // of the child that is up
	Up       time.Duration // how long it has been that
	Err      error         // why none is up

	Finishing int    // children that were swapped out and have not ended
	Waiting   int    // calls and notifications that wait for a child now
	Repeated  uint64 // calls and notifications that went to one more child, ever

	// LostNotifications are those that children were given, by a Notify that has returned nil, and
	// are not known to have handled when they died. What was handled in the last 10 ms, or while
	// another one was, may be among them. Notifications that need an answer are calls. Those to
	// children that have no [Peer.Sync] do not count.
	LostNotifications uint64

	Took  Latency // of calls, until each was answered or had failed, the wait for a child included
	Child Stats   // of the child that is up
}

// supervisorCounts are those that calls count.
type supervisorCounts struct {
	waiting        atomic.Int64
	repeated, lost atomic.Uint64
	took           histogram.Histogram
}

// Stats returns the numbers as they are now. It waits for nothing.
func (s *Supervisor) Stats() SupervisorStats {
	s.mu.Lock()
	stats := SupervisorStats{
		State:    s.state,
		Starts:   s.incarnation.N,
		Restarts: s.incarnation.Restarts,
		Err:      s.why,

		Finishing:         s.finishingLocked(),
		Waiting:           int(s.counts.waiting.Load()),
		Repeated:          s.counts.repeated.Load(),
		LostNotifications: s.counts.lost.Load(),

		Took: latencyOf(&s.counts.took),
	}
	c := s.current.Load()
	if c != nil {
		stats.Up = time.Since(c.ready)
		if process := c.peer.Process(); process != nil {
			stats.Pid = process.Pid()
		}
	}
	s.mu.Unlock()
	if c != nil {
		stats.Child = c.peer.Stats()
	}
	return stats
}

func (s *Supervisor) finishingLocked() (n int) {
	for c := range s.children {
		if c.isOld {
			n++
		}
	}
	return n
}
