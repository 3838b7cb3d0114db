package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
)

// An Incarnation is one child among those that a [Supervisor] starts one after the other.
type Incarnation struct {
	// N numbers the starts of children, from 1. Each call of the command function has one more,
	// also where no child came of it.
	N int

	// Restarts is how many of these starts, this one included, were made because a child had ended
	// or could not be started. The others are the first, and those by [Supervisor.Swap].
	Restarts int

	// Last says how the latest child has ended that was not swapped out. It is nil where none has,
	// and without a process.
	Last *procspawn.Exit
}

// SuperviseOptions adjust a [Supervisor]. Nil and zero fields mean the defaults. They are copied. A
// value that has no meaning, such as a negative time, is an error of [Supervise] that names the
// field.
type SuperviseOptions struct {
	// Peer are the options of each child's [Peer]. Their Logger is told of each change, with the
	// Name, and their OnExit is called for each child. Default: those of [Start].
	Peer *Options

	// Name is what this Supervisor is called in errors, events and logs. Default: "child".
	Name string

	// Ready is asked whether a child that has connected can be called. Nothing else calls it before
	// Ready has returned nil. If it returns an error, or ReadyTimeout is over, the child is ended,
	// and that counts as an end of it. When its context ends its Peer is closed, so that calls
	// without a context end, too; Ready has to return then. Default: [Peer.Ping].
	Ready func(ctx context.Context, p *Peer) error

	// ReadyTimeout is how long Ready may take. (Options.HandshakeTimeout bounds what comes before
	// it.) Default: 10 s.
	ReadyTimeout time.Duration

	// MaxWait is how long a call waits, in all, for a child to call while none is up. Default: 10 s.
	MaxWait time.Duration

	// Restart says when a child that has ended is followed by another.
	Restart Restart

	// Idempotent says which methods may be run again. A call of one that was in flight when its
	// child died is made again to the next child, at most twice: it may be what kills them. It is
	// called from many goroutines at once. Default: none may.
	Idempotent func(method string) bool

	// Events is told of each change, one at a time and in their order, by a goroutine of the
	// Supervisor. An exit is told when the handlers of that child's calls have returned, 250 ms
	// behind its end at the latest: notifications and records that it had sent by then may still be
	// handled (see [Peer.Wait]). It may call all methods of the Supervisor but Wait, and has to
	// return. What comes meanwhile waits. Default: nobody is told.
	Events func(Event)

	// Stderr gets what children print to their standard error, each line with Name and ": " before
	// it and in one Write; the writes come one at a time. Lines of more than 64 KiB are cut in two.
	// If it blocks it blocks the child. Children whose Cmd has a Stderr of its own are not
	// concerned. Default: their Stderr is as in [Start].
	Stderr io.Writer
}

// Supervise starts a child and keeps one running: when it ends, another is started. The function
// command makes the Cmd for each, a new one every time, which is started as [Start] does it, with
// o.Peer. It is called by Supervise, by goroutines of the Supervisor and by [Supervisor.Swap], so at
// times by two of them at once, and should not wait for anything: Close does not wait for it, but
// Wait does.
//
// Supervise returns when the first child is ready, or cannot be: that is reported at once, and
// nothing is left running. ctx bounds that alone, not the life of the Supervisor. Its errors are
// those of [Start], of command and of SuperviseOptions.Ready; an error of o names the field.
//
// What is to outlive a restart belongs into the arguments of calls, or is brought to each child by
// SuperviseOptions.Ready. A command function that uses [exec.CommandContext] has its context kill
// the child at once, also one that finishes its calls after a [Supervisor.Swap] or a
// [Supervisor.Shutdown].
func Supervise(ctx context.Context, command func(Incarnation) (*exec.Cmd, error), o *SuperviseOptions) (*Supervisor, error) {
	return supervise(ctx, Start, command, o)
}

// A startFunc is Start, or what stands for it in a test.
type startFunc func(context.Context, *exec.Cmd, *Options) (*Peer, error)

// A commandFunc makes the Cmd of a child.
type commandFunc func(Incarnation) (*exec.Cmd, error)

func supervise(ctx context.Context, start startFunc, command commandFunc, o *SuperviseOptions) (*Supervisor, error) {
	if command == nil {
		return nil, errors.New("rpcpipe: Supervise with a nil command function: one that returns a new *exec.Cmd was expected")
	}
	var opts SuperviseOptions
	if o != nil {
		opts = *o
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := newSupervisor(start, command, opts)
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// begin starts the first child.
func (s *Supervisor) begin(ctx context.Context) error {
	defer s.running.Done()
	live.enterSupervisor(s)
	c, err := s.launch(ctx, s.command, byFirst)
	if err == nil {
		err = s.install(ctx, c, byFirst)
	}
	if err != nil && !s.tryAgain(c, err) {
		s.emit(EventFailed, c, err)
		s.end(err)
	}
	return err
}

// complete checks o and puts the defaults in.
func (o *SuperviseOptions) complete() error {
	if o.Peer == nil {
		o.Peer = new(Options)
	} else {
		own := *o.Peer
		o.Peer = &own
	}
	if err := newConfig(o.Peer).check(); err != nil {
		return fmt.Errorf("SuperviseOptions.Peer: %w", err)
	}
	if o.Name == "" {
		o.Name = "child"
	}
	if o.Ready == nil {
		o.Ready = func(ctx context.Context, p *Peer) error {
			_, err := p.Ping(ctx)
			return err
		}
	}
	if o.Idempotent == nil {
		o.Idempotent = func(string) bool { return false }
	}
	for _, f := range []struct {
		field    string
		value    *time.Duration
		standard time.Duration
	}{
		{"ReadyTimeout", &o.ReadyTimeout, 10 * time.Second},
		{"MaxWait", &o.MaxWait, 10 * time.Second},
		{"Restart.Min", &o.Restart.Min, 100 * time.Millisecond},
		{"Restart.Max", &o.Restart.Max, max(30*time.Second, o.Restart.Min)},
		{"Restart.Reset", &o.Restart.Reset, time.Minute},
		{"Restart.Within", &o.Restart.Within, 5 * time.Minute},
	} {
		if *f.value < 0 {
			return fmt.Errorf("rpcpipe: SuperviseOptions.%s is %v: more than 0 was expected, or 0 for the default, %v", f.field, *f.value, f.standard)
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	switch r := &o.Restart; {
	case r.Limit < 0:
		return fmt.Errorf("rpcpipe: SuperviseOptions.Restart.Limit is %d: more than 0 was expected, math.MaxInt for no limit, or 0 for the default, %d", r.Limit, restartLimit)
	case r.Max < r.Min:
		return fmt.Errorf("rpcpipe: SuperviseOptions.Restart.Max is %v: as much as Restart.Min was expected, which is %v", r.Max, r.Min)
	case r.Limit == 0:
		r.Limit = restartLimit
	}
	return nil
}
