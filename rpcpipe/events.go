package rpcpipe

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
)

// An EventKind is what an [Event] tells of.
type EventKind uint8

const (
	// EventStarted: a child was started and has connected. It is not called yet.
	EventStarted EventKind = iota

	// EventFailed: a child could not be started, or was not ready in time. Err says why.
	EventFailed

	// EventReady: calls go to the child from now on.
	EventReady

	// EventSwapped: another child has taken the place of this one, which finishes its calls.
	EventSwapped

	// EventExited: a child that was ready has ended. Err is what its Wait has returned.
	EventExited

	// EventGaveUp: no child is started any more, because of Err, with which the latest one has
	// ended, or a [*RestartLimitError].
	EventGaveUp

	// EventEnded: nothing runs any more. It is the last event. Err is what Wait returns.
	EventEnded
)

// String returns the name of k, such as "swapped".
func (k EventKind) String() string {
	return [...]string{"started", "failed", "ready", "swapped", "exited", "gave up", "ended"}[k]
}

// Event is a change that SuperviseOptions.Events is told of. Its fields are zero where nothing is
// known of them.
type Event struct {
	Kind        EventKind
	Time        time.Time
	Supervisor  *Supervisor
	Name        string          // SuperviseOptions.Name
	Incarnation Incarnation     // which child
	Peer        *Peer           // of the child, also when it has ended
	Pid         int             // of its process
	Exit        *procspawn.Exit // how the process has ended
	Err         error
	Wait        time.Duration // until the next child is started; 0: none will be because of this
}

// eventOf is an event about c. c may be nil.
func (s *Supervisor) eventOf(kind EventKind, c *child, err error) Event {
	e := Event{Kind: kind, Incarnation: c.inc, Peer: c.peer, Err: err, Exit: exitOf(c, err)}
	switch {
	case c.peer != nil && c.peer.Process() != nil:
		e.Pid = c.peer.Process().Pid()
	case e.Exit != nil:
		e.Pid = e.Exit.Pid
	}
	return e
}

func (s *Supervisor) emit(kind EventKind, c *child, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emitLocked(s.eventOf(kind, c, err))
}

// emitLocked has those who want to know told of e. The lock keeps events in the order of what they
// tell of.
func (s *Supervisor) emitLocked(e Event) {
	e.Time, e.Supervisor, e.Name = time.Now(), s, s.opts.Name
	s.events.push(e)
}

// eventQueue tells the Logger and SuperviseOptions.Events, which may be slow, of events.
type eventQueue struct {
	more chan struct{} // one slot: list or over has changed; nil: nobody wants to know
	done chan struct{} // closed when all have been told

	mu   sync.Mutex // guards what follows
	list []Event    // to be told
	over bool       // no more will come
}

func (q *eventQueue) start(s *Supervisor) {
	if s.opts.Events == nil && s.opts.Peer.Logger == nil {
		return
	}
	q.more, q.done = make(chan struct{}, 1), make(chan struct{})
	go q.run(s)
}

func (q *eventQueue) run(s *Supervisor) {
	defer close(q.done)
	for range q.more {
		q.mu.Lock()
		list, over := q.list, q.over
		q.list = nil
		q.mu.Unlock()
		for _, e := range list {
			if logger := s.opts.Peer.Logger; logger != nil {
				e.log(logger)
			}
			if s.opts.Events != nil {
				s.opts.Events(e)
			}
		}
		if over {
			return
		}
	}
}

func (q *eventQueue) push(e Event) {
	if q.more == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.over {
		q.list = append(q.list, e)
		q.signal()
	}
}

func (q *eventQueue) signal() {
	select {
	case q.more <- struct{}{}:
	default: // it is told already
	}
}

// end waits until all events have been told.
func (q *eventQueue) end() {
	if q.more == nil {
		return
	}
	q.mu.Lock()
	q.over = true
	q.signal()
	q.mu.Unlock()
	<-q.done
}

// log writes e down.
func (e *Event) log(logger *slog.Logger) {
	level := slog.LevelInfo
	switch {
	case e.Kind == EventStarted:
		level = slog.LevelDebug
	case e.Kind == EventGaveUp:
		level = slog.LevelError
	case e.Kind == EventFailed, e.Kind == EventExited && e.Err != nil:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("name", e.Name)}
	if e.Incarnation.N > 0 {
		attrs = append(attrs, slog.Int("n", e.Incarnation.N))
	}
	if e.Pid != 0 {
		attrs = append(attrs, slog.Int("pid", e.Pid))
	}
	if e.Err != nil && e.Kind != EventEnded { // which says it a second time
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	if e.Wait > 0 {
		attrs = append(attrs, slog.Duration("next", e.Wait))
	}
	logger.LogAttrs(context.Background(), level, "viaduct: supervised child: "+e.Kind.String(), attrs...)
}
