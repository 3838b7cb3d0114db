package rpctest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// Info is a reply.
type Info struct {
	Name  string
	Sizes []int
	At    time.Time
	Data  []byte
}

// quick ends what does not end by itself soon.
var quick = rpcpipe.Options{CloseTimeout: 100 * time.Millisecond, TermTimeout: 100 * time.Millisecond}

func start(t *testing.T, c rpctest.Child, opts *rpcpipe.Options) *rpcpipe.Peer {
	t.Helper()
	p, err := rpcpipe.Start(t.Context(), c.Command(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// TestChild: one that does nothing wrong, whatever it is called with.
func TestChild(t *testing.T) {
	rpctest.NoneLeft(t)
	info := Info{"x", []int{1, 2}, time.Unix(1, 2).UTC(), []byte{0, 255}}
	for name, misdeeds := range map[string][]rpctest.Misdeed{
		"a Peer":              nil,
		"one that lies later": {{Do: rpctest.LieReply, Call: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, rpctest.Child{
				Name: "shapes", Version: "1.2",
				Replies:  map[string]any{"Plugin.Info": info, "Plugin.Nothing": nil},
				Failures: map[string]string{"Plugin.Bad": "it is bad"},
				Misdeeds: misdeeds,
			}, nil)
			require.Equal(t, "shapes", p.Remote().Name)
			require.Equal(t, "1.2", p.Remote().Version)
			var got Info
			require.NoError(t, p.Call("Plugin.Info", 7, &got))
			require.Equal(t, info, got)
			require.NoError(t, p.Call("Plugin.Nothing", "x", nil))
			require.EqualError(t, p.Call("Plugin.Bad", info, &got), "it is bad")
			got = Info{}
			require.NoError(t, p.Call("Whatever.There.Is", info, &got))
			require.Equal(t, info, got)
			require.NoError(t, p.Notify(t.Context(), "Plugin.Info", 1))
			n := 8
			require.NoError(t, p.Call("Other.Answer", 9, &n))
			require.Equal(t, 9, n)
			require.NoError(t, p.Shutdown(t.Context()))
			require.NoError(t, p.Wait())
			require.Zero(t, p.Process().Exit().Code)
		})
	}
}

// TestMisdeedsOnCall: what the caller sees of each.
func TestMisdeedsOnCall(t *testing.T) {
	rpctest.NoneLeft(t)
	died := func(check func(*testing.T, *procspawn.Exit)) func(*testing.T, *rpcpipe.Peer, error) {
		return func(t *testing.T, p *rpcpipe.Peer, err error) {
			var exit *procspawn.Exit
			require.ErrorAs(t, err, &exit)
			check(t, exit)
		}
	}
	const late = "context deadline exceeded"
	hangs := func(t *testing.T, p *rpcpipe.Peer, err error) { require.EqualError(t, err, late) }
	ended := func(t *testing.T, p *rpcpipe.Peer, err error) {
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		<-p.Done()
		require.Error(t, p.Err())
	}
	for do, check := range map[rpctest.Act]func(*testing.T, *rpcpipe.Peer, error){
		rpctest.Exit: died(func(t *testing.T, exit *procspawn.Exit) { require.Equal(t, 9, exit.Code) }),
		rpctest.Kill: died(func(t *testing.T, exit *procspawn.Exit) {
			if runtime.GOOS != "windows" {
				require.Equal(t, os.Kill, exit.Signal)
			}
		}),
		rpctest.Panic: func(t *testing.T, p *rpcpipe.Peer, err error) {
			var panicked *viaduct.PanicError
			require.ErrorAs(t, err, &panicked)
			p.Wait()
			require.Contains(t, string(p.Process().Exit().Crash), "told to panic")
		},
		rpctest.Stop:      hangs,
		rpctest.Hang:      hangs,
		rpctest.Spin:      hangs,
		rpctest.CloseLink: ended,
		rpctest.LieJunk:   ended,
		rpctest.LieFrame:  ended,
		rpctest.LieLength: ended,
		rpctest.LieBody: func(t *testing.T, p *rpcpipe.Peer, err error) {
			require.Error(t, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		},
		rpctest.LieReply: func(t *testing.T, p *rpcpipe.Peer, err error) { require.NoError(t, err) },
		rpctest.LieTwice: func(t *testing.T, p *rpcpipe.Peer, err error) { require.NoError(t, err) },
	} {
		t.Run(string(do), func(t *testing.T) {
			if do == rpctest.Stop && runtime.GOOS == "windows" {
				t.Skip("Windows cannot stop a process")
			}
			m := rpctest.Misdeed{Do: do, Method: "Plugin.Do", Call: 2}
			if do == rpctest.Exit {
				m.Status = 9
			}
			p := start(t, rpctest.Child{Misdeeds: []rpctest.Misdeed{m}}, &quick)
			var n int
			require.NoError(t, p.Call("Plugin.Other", 1, &n))
			require.NoError(t, p.Call("Plugin.Do", 1, &n))
			require.NoError(t, p.Call("Plugin.Other", 1, &n))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if do == rpctest.Hang || do == rpctest.Spin || do == rpctest.Stop {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			check(t, p, p.CallContext(ctx, "Plugin.Do", 1, &n))
			p.Close()
			p.Wait()
		})
	}
}

// TestLieTwice: both replies are what Replies says.
func TestLieTwice(t *testing.T) {
	rpctest.NoneLeft(t)
	told := make(chan string, 10)
	opts := quick
	opts.Logger = slog.New(tells(told))
	p := start(t, rpctest.Child{
		Replies:  map[string]any{"Plugin.Do": 42},
		Failures: map[string]string{"Plugin.Fail": "out of paper"},
		Misdeeds: []rpctest.Misdeed{{Do: rpctest.LieTwice}},
	}, &opts)
	var n int
	require.NoError(t, p.Call("Plugin.Do", 1, &n))
	require.Equal(t, 42, n)
	require.Contains(t, <-told, "reply")
	require.EqualError(t, p.Call("Plugin.Fail", 1, &n), "out of paper")
	p.Close()
	p.Wait()
}

// tells is a slog.Handler that gives each message to a channel.
type tells chan<- string

func (c tells) Enabled(context.Context, slog.Level) bool { return true }
func (c tells) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c tells) WithGroup(string) slog.Handler            { return c }
func (c tells) Handle(_ context.Context, r slog.Record) error {
	c <- r.Message
	return nil
}

// TestFloods: they come, and the link ends in time.
func TestFloods(t *testing.T) {
	rpctest.NoneLeft(t)
	for do, flooded := range map[rpctest.Act]func(*rpcpipe.Peer) bool{
		rpctest.FloodCalls:  func(p *rpcpipe.Peer) bool { return p.Stats().Served.Calls > 1000 },
		rpctest.FloodNotify: func(p *rpcpipe.Peer) bool { return p.Stats().Served.Notifications > 1000 },
		rpctest.FloodMemory: func(p *rpcpipe.Peer) bool { return p.Process().Memory() > 200<<20 || runtime.GOOS != "linux" },
	} {
		for _, when := range []rpctest.When{rpctest.OnCall, rpctest.AtHello} {
			t.Run(string(do)+" "+string(when), func(t *testing.T) {
				p := start(t, rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: do, When: when}}}, &quick)
				for {
					n := 0
					err := p.Call("Plugin.Do", 7, &n)
					if err != nil {
						require.ErrorIs(t, err, viaduct.ErrOverload)
					} else {
						require.Equal(t, 7, n)
					}
					if flooded(p) {
						break
					}
				}
				p.Close()
				p.Wait()
			})
		}
	}
}

// TestFloodStderr: it prints without an end, while it answers.
func TestFloodStderr(t *testing.T) {
	rpctest.NoneLeft(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: rpctest.FloodStderr}}}.Command()
	cmd.Stderr = w
	p, err := rpcpipe.Start(t.Context(), cmd, &quick)
	w.Close()
	require.NoError(t, err)
	defer p.Close()
	var n int
	require.NoError(t, p.Call("Plugin.Do", 7, &n))
	require.Equal(t, 7, n)
	lines := bufio.NewReader(r)
	for i := range 10_000 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("flood %d\n", i), line)
	}
}

// TestMisdeedsAtStart: what Start says of a program that is none, or no longer.
func TestMisdeedsAtStart(t *testing.T) {
	rpctest.NoneLeft(t)
	for do, want := range map[rpctest.Act]string{
		rpctest.Exit:       "exit status 3",
		rpctest.Panic:      "told to panic",
		rpctest.Hang:       "no hello from child",
		rpctest.LieJunk:    "hello",
		rpctest.LieVersion: "9000",
		rpctest.LieLength:  "4294967295",
	} {
		t.Run(string(do), func(t *testing.T) {
			opts := quick
			if do == rpctest.Hang {
				opts.HandshakeTimeout = 100 * time.Millisecond
			}
			m := rpctest.Misdeed{Do: do, When: rpctest.AtStart}
			if do == rpctest.Exit {
				m.Status = 3
			}
			_, err := rpcpipe.Start(t.Context(), rpctest.Child{Misdeeds: []rpctest.Misdeed{m}}.Command(), &opts)
			var start *procspawn.StartError
			require.ErrorAs(t, err, &start)
			require.NotContains(t, err.Error(), "needs a branch", "a Child needs none")
			if do == rpctest.Panic {
				require.Contains(t, string(start.Exit.Stderr)+string(start.Exit.Crash), want)
				return
			}
			require.ErrorContains(t, err, want)
		})
	}
}

// TestMisdeedsAtEnd: a child that should end and does not is ended, and one that ends otherwise is
// seen.
func TestMisdeedsAtEnd(t *testing.T) {
	rpctest.NoneLeft(t)
	p := start(t, rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: rpctest.Exit, When: rpctest.AtEnd, Status: 7}}}, nil)
	p.Close()
	require.Equal(t, 7, p.Process().Exit().Code)
	p = start(t, rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: rpctest.Hang, When: rpctest.AtEnd}}}, &quick)
	p.Close()
	require.Equal(t, procspawn.StepKill, p.Process().Exit().Step)
	if runtime.GOOS == "windows" {
		return
	}
	require.Equal(t, syscall.SIGKILL, p.Process().Exit().Signal)
}

// TestBadChildren: a Child that has no meaning does not start, and the error says why.
func TestBadChildren(t *testing.T) {
	for want, c := range map[string]rpctest.Child{
		`rpctest: Misdeed.Do is "dance": one of `:                                        {Misdeeds: []rpctest.Misdeed{{Do: "dance"}}},
		`rpctest: Misdeed "lie version" at "": one of ["at start"] was expected`:         {Misdeeds: []rpctest.Misdeed{{Do: rpctest.LieVersion}}},
		`rpctest: Misdeed.When is "soon": OnCall, AtStart, AtHello or AtEnd`:             {Misdeeds: []rpctest.Misdeed{{Do: rpctest.Exit, When: "soon"}}},
		`rpctest: Misdeed "flood calls" at "at start": there is no link then`:            {Misdeeds: []rpctest.Misdeed{{Do: rpctest.FloodCalls, When: rpctest.AtStart}}},
		`rpctest: Misdeed.Call is -1: 1 or more`:                                         {Misdeeds: []rpctest.Misdeed{{Do: rpctest.Exit, Call: -1}}},
		`rpctest: Misdeed "exit" at "at end": Method, Call and Lasting are for OnCall`:   {Misdeeds: []rpctest.Misdeed{{Do: rpctest.Exit, When: rpctest.AtEnd, Call: 2}}},
		`rpctest: Misdeed "hang": Status is for Exit`:                                    {Misdeeds: []rpctest.Misdeed{{Do: rpctest.Hang, Status: 2}}},
		`rpctest: Misdeed.Status is 256: 0 to 255`:                                       {Misdeeds: []rpctest.Misdeed{{Do: rpctest.Exit, Status: 256}}},
		`rpctest: Misdeed "close link" of a Child that lies: it can do one or the other`: {Misdeeds: []rpctest.Misdeed{{Do: rpctest.LieReply}, {Do: rpctest.CloseLink}}},
		`rpctest: the reply of A.B: `:                                                    {Replies: map[string]any{"A.B": make(chan int)}},
	} {
		_, err := rpcpipe.Start(t.Context(), c.Command(), nil)
		require.ErrorContains(t, err, want)
	}
}

// TestSupervised: a child that crashes at each third call is replaced, and no call fails that may
// be made again.
func TestSupervised(t *testing.T) {
	rpctest.NoneLeft(t)
	s, err := rpcpipe.Supervise(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		return rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: rpctest.Kill, Call: 3}}}.Command(), nil
	}, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: time.Millisecond, Max: time.Millisecond, Limit: math.MaxInt}})
	require.NoError(t, err)
	defer s.Close()
	for i := range 10 {
		var n int
		for {
			err := s.Call("Plugin.Do", i, &n)
			if err == nil {
				break
			}
			assert.True(t, errors.As(err, new(*procspawn.Exit)) || errors.Is(err, viaduct.ErrNotBegun), "%v", err)
		}
		require.Equal(t, i, n)
	}
	require.GreaterOrEqual(t, s.Stats().Restarts, 3)
}
