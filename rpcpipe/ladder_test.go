package rpcpipe_test

import (
	"context"
	"net/rpc"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	// "stubborn" does not exit at the end of its link, nor, with an argument, upon SIGTERM.
	children["stubborn"] = func(args []string) {
		if len(args) > 0 {
			signal.Ignore(syscall.SIGTERM)
		}
		s := newService()
		opts := s.options()
		opts.ExitTimeout = -1
		s.use(connect(opts))
		select {}
	}
}

// TestLadder: each step of stopping has its limit, and the Exit says which one it took.
func TestLadder(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	const short = 100 * time.Millisecond
	shutdown := func(p *rpcpipe.Peer) error { return p.Shutdown(context.Background()) }
	for _, test := range []struct {
		name  string
		child []string
		park  bool // a call is in flight, which never returns
		end   func(p *rpcpipe.Peer) error
		err   string
		step  procspawn.Step
		sig   os.Signal
	}{
		{"shutdown", []string{"service"}, false, shutdown, "", procspawn.StepShutdown, nil},
		{"shutdown of one that is busy", []string{"service"}, true, shutdown, "within Options.ShutdownTimeout (100ms) and was cut short", procspawn.StepCloseLink, nil},
		{"close", []string{"service"}, true, (*rpcpipe.Peer).Close, "", procspawn.StepCloseLink, nil},
		{"shutdown of one that stays", []string{"stubborn"}, false, shutdown, "", procspawn.StepTerminate, syscall.SIGTERM},
		{"close of one that stays", []string{"stubborn"}, true, (*rpcpipe.Peer).Close, "", procspawn.StepTerminate, syscall.SIGTERM},
		{"shutdown of one that ignores", []string{"stubborn", "term"}, true, shutdown, "cut short", procspawn.StepKill, syscall.SIGKILL},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newService()
			opts := s.options()
			// What comes to an end by itself has time for it: the machine may be busy.
			opts.ShutdownTimeout, opts.CloseTimeout, opts.TermTimeout = time.Minute, time.Minute, time.Minute
			if test.park {
				opts.ShutdownTimeout = short
			}
			if test.child[0] == "stubborn" {
				opts.CloseTimeout = short
			}
			if test.step == procspawn.StepKill || !terminates {
				opts.TermTimeout = short
			}
			var told *procspawn.Exit
			opts.OnExit = func(e *procspawn.Exit) { told = e }
			p, err := rpcpipe.Start(t.Context(), procspawn.Self(test.child...), opts)
			require.NoError(t, err)
			require.NoError(t, p.Call("Service.Add", Args{}, nil))
			var parked *rpc.Call
			if test.park {
				parked = p.Go("Service.Park", 0, nil, nil)
			}
			begin := time.Now()
			err = test.end(p)
			require.Less(t, time.Since(begin), slack(3*time.Second))
			if test.err != "" {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
			exit := p.Process().Exit()
			if test.step == procspawn.StepTerminate && !terminates {
				test.step, test.sig = procspawn.StepKill, os.Kill
			}
			require.Equal(t, test.step, exit.Step)
			require.Equal(t, procspawn.ByStop, exit.By)
			require.Equal(t, test.sig, exit.Signal)
			p.Wait()
			require.Same(t, exit, told)
			if test.park {
				require.Error(t, (<-parked.Done).Error)
			}
		})
	}
}

// TestExitPending: the report says which calls were waiting, and for how long.
func TestExitPending(t *testing.T) {
	s := newService()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), s.options())
	require.NoError(t, err)
	first := p.Go("Service.Park", 0, nil, nil)
	require.NoError(t, p.Call("Service.Add", Args{}, nil)) // is not pending any more
	second := p.Go("Service.Nobody", nothing{}, nil, nil)
	<-second.Done // its argument cannot be sent, so it is not pending
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() { cancelled <- p.CallContext(ctx, "Service.Park", 0, nil) }()
	cancel()
	require.ErrorIs(t, <-cancelled, context.Canceled) // nobody waits for it any more
	third := p.Client().Go("Service.Park", 0, nil, nil)
	kill(t, p)
	<-first.Done
	<-third.Done
	var exit *procspawn.Exit
	require.ErrorAs(t, first.Error, &exit)
	require.ErrorAs(t, p.Wait(), &exit)
	require.Len(t, exit.Pending, 2)
	require.Equal(t, "Service.Park", exit.Pending[0].Method)
	require.GreaterOrEqual(t, exit.Pending[0].For, exit.Pending[1].For)
	require.Positive(t, exit.Pending[1].For)
	require.LessOrEqual(t, exit.Pending[0].For, exit.Lifetime+time.Second)
	requireKilled(t, exit)
	require.Contains(t, exit.Error(), "; pending: Service.Park for ")
	require.Contains(t, exit.Error(), " and 1 more")
}

// kill kills the child from beside.
func kill(t *testing.T, p *rpcpipe.Peer) {
	t.Helper()
	process, err := os.FindProcess(p.Process().Pid())
	require.NoError(t, err)
	defer process.Release() // it may hold a descriptor, which tests count
	require.NoError(t, process.Kill())
}

type nothing struct{ C chan int }

// TestReaperLatency: the parent hears of its child's end within 50 ms, in most cases, on a machine
// that has other work; and once.
func TestReaperLatency(t *testing.T) {
	var took []time.Duration
	for range 9 {
		s := newService()
		opts := s.options()
		called := make(chan time.Time, 2)
		opts.OnExit = func(*procspawn.Exit) { called <- time.Now() }
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), opts)
		require.NoError(t, err)
		require.NoError(t, p.Call("Service.Add", Args{}, nil))
		begin := time.Now()
		kill(t, p)
		took = append(took, (<-called).Sub(begin))
		p.Wait()
		require.Empty(t, called)
	}
	slices.Sort(took)
	require.Less(t, took[len(took)/2], slack(50*time.Millisecond), "%v", took)
}
