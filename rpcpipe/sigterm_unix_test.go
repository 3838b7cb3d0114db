//go:build unix

package rpcpipe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Slow is what the web server asks its child for each request.
type Slow struct{}

// Work takes its time, so that calls are in flight whenever a signal comes.
func (s *Slow) Work(d time.Duration, n *int) error {
	<-time.After(d)
	*n = 1
	return nil
}

func init() {
	server := func() *rpc.Server {
		server := rpc.NewServer()
		if err := server.Register(new(Slow)); err != nil {
			panic(err)
		}
		return server
	}
	// "slow" serves Slow, until its link ends.
	children["slow"] = func([]string) {
		if err := connect(&rpcpipe.Options{Server: server()}).Wait(); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(4)
		}
	}
	// "slow, own SIGTERM" does so, and says what it hears of the signal.
	children["slow, own SIGTERM"] = func([]string) {
		c := make(chan os.Signal, 9)
		signal.Notify(c, syscall.SIGTERM)
		p := connect(&rpcpipe.Options{Server: server(), HandlesSIGTERM: true})
		<-c
		fmt.Println("heard")
		if err := p.Wait(); err != nil || len(c) > 0 {
			os.Exit(4)
		}
	}
	// "slow, stays" does not end with its link.
	children["slow, stays"] = func([]string) {
		connect(&rpcpipe.Options{Server: server(), ExitTimeout: -1})
		select {}
	}
	programs["web"] = web
}

// web serves each request by a call of its child until it is sent SIGTERM, and says how many it has
// served and failed to, and how its child has ended.
func web(args []string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "web:", err)
			os.Exit(5)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	peer, err := rpcpipe.Start(context.Background(), procspawn.Self("slow"), nil)
	fail(err)
	var served, failed atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := peer.Call("Slow.Work", 20*time.Millisecond, &n); err != nil {
			failed.Add(1)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		served.Add(1)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Println(listener.Addr())
	go server.Serve(listener)
	<-ctx.Done()
	if len(args) > 0 { // it has other things to do first
		d, err := time.ParseDuration(args[0])
		fail(err)
		<-time.After(d)
	}
	fail(server.Shutdown(context.Background()))
	fail(peer.Shutdown(context.Background()))
	fmt.Println(served.Load() > 0, failed.Load(), peer.Wait(), peer.Process().Exit())
}

// TestTerminateGroup: a web server and its child are sent SIGTERM at the same time, under load, as
// a service manager does. No request fails, and the child ends in order.
func TestTerminateGroup(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	for _, wait := range []string{"0s", "500ms"} {
		t.Run("the parent waits "+wait, func(t *testing.T) {
			exe, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(exe, "web", wait)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(out)
			addr, err := lines.ReadString('\n')
			require.NoError(t, err)
			load := newLoad("http://" + strings.TrimSpace(addr))
			load.await(50)
			begin := time.Now()
			require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			require.NoError(t, cmd.Wait())
			load.stop()
			if time.Since(begin) > rpcpipe.TermPatience { // the machine is busy, and the child need not wait so long
				require.Regexp(t, `^true \d+ .*child \d+`, string(rest))
				return
			}
			ends := `<nil> child \d+ exited: exit status 0 \(stopped by: shutdown\)`
			if wait == "0s" {
				// The parent may have shut the link down before the child gets to look at the
				// signal, which then works as it does without a link.
				ends += `|child \d+: signal: terminated child \d+: signal: terminated`
			}
			assert.Regexp(t, `^true 0 (`+ends+`)\n$`, string(rest))
			assert.Empty(t, load.bad)
		})
	}
}

// load keeps a web server busy.
type load struct {
	running sync.WaitGroup
	over    context.Context
	stop    func()
	good    chan struct{} // a request has been answered

	mu  sync.Mutex
	bad []string // guarded by mu: answers that say of a failure
}

func newLoad(url string) *load {
	l := &load{good: make(chan struct{}, 1000)}
	var cancel context.CancelFunc
	l.over, cancel = context.WithCancel(context.Background())
	l.stop = func() { cancel(); l.running.Wait() }
	for range 8 {
		l.running.Go(func() {
			// A connection for each request: one that is kept could be closed by the server just
			// when the next request is sent.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for l.over.Err() == nil {
				resp, err := client.Get(url)
				if err != nil { // it does not listen any more
					return
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					l.mu.Lock()
					l.bad = append(l.bad, string(text))
					l.mu.Unlock()
				}
				select {
				case l.good <- struct{}{}:
				default:
				}
			}
		})
	}
	return l
}

func (l *load) await(n int) {
	for range n {
		<-l.good
	}
}

// terminate sends the child SIGTERM.
func terminate(t *testing.T, p *rpcpipe.Peer) {
	t.Helper()
	require.NoError(t, syscall.Kill(p.Process().Pid(), syscall.SIGTERM))
}

// TestTerminateChild: a child alone that is sent SIGTERM serves its parent for 2 s, finishes what
// goes on, and dies of the signal.
func TestTerminateChild(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	p := startChild(t, "slow")
	long := p.Go("Slow.Work", 3*time.Second, new(int), nil)
	begin := time.Now()
	terminate(t, p)
	for time.Since(begin) < time.Second {
		require.NoError(t, p.Call("Slow.Work", 10*time.Millisecond, new(int)))
	}
	require.NoError(t, (<-long.Done).Error)
	var exit *procspawn.Exit
	require.ErrorAs(t, p.Wait(), &exit)
	require.Equal(t, syscall.SIGTERM, exit.Signal)
	require.Equal(t, procspawn.BySignal, exit.By)
	require.Equal(t, procspawn.StepNone, exit.Step)
	require.Less(t, time.Since(begin), 6*time.Second)
}

// TestTerminateBusyChild: what has not ended 7 s after the signal is cut short.
func TestTerminateBusyChild(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	p := startChild(t, "slow")
	begin := time.Now()
	terminate(t, p)
	err := p.Call("Slow.Work", time.Minute, new(int))
	require.ErrorIs(t, err, rpc.ErrShutdown)
	require.Greater(t, time.Since(begin), 6*time.Second)
	require.Less(t, time.Since(begin), 10*time.Second)
	p.Wait()
	require.Equal(t, syscall.SIGTERM, p.Process().Exit().Signal)
}

// TestTerminateOwn: a program with a handler of its own has the signal for itself.
func TestTerminateOwn(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := procspawn.Self("slow, own SIGTERM")
	cmd.Stdout = w
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	defer p.Close()
	w.Close()
	terminate(t, p)
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "heard\n", line)
	require.NoError(t, p.Call("Slow.Work", 3*time.Second, new(int))) // nothing else happens
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
}

// TestTerminateByStop: the signal that Close sends to a child that stays works at once, whenever it
// comes.
//
// It is not beside others: between fork and exec of a program that they start, that holds the pipes as
// well, and a child that looks just then takes its link to be up, and has 7 s.
func TestTerminateByStop(t *testing.T) {
	for _, patience := range []time.Duration{-1, time.Millisecond, 300 * time.Millisecond} {
		t.Run(patience.String(), func(t *testing.T) {
			p, err := rpcpipe.Start(t.Context(), procspawn.Self("slow, stays"), &rpcpipe.Options{CloseTimeout: patience, TermTimeout: time.Minute})
			require.NoError(t, err)
			begin := time.Now()
			p.Close()
			require.Less(t, time.Since(begin), slack(2*time.Second))
			exit := p.Process().Exit()
			require.Equal(t, procspawn.StepTerminate, exit.Step)
			require.Equal(t, syscall.SIGTERM, exit.Signal)
		})
	}
}

// TestTerminateHeard: a signal that came before the end of the link is not lost to a child that
// goes on without it, nor does it keep others from ending.
func TestTerminateHeard(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("slow, stays"), &rpcpipe.Options{CloseTimeout: time.Minute})
	require.NoError(t, err)
	terminate(t, p)
	require.NoError(t, p.Call("Slow.Work", 100*time.Millisecond, new(int)))
	begin := time.Now()
	p.Close()
	exit := p.Process().Exit()
	require.Equal(t, syscall.SIGTERM, exit.Signal)
	require.Equal(t, procspawn.StepCloseLink, exit.Step)
	require.Less(t, time.Since(begin), 8*time.Second)

	p = startChild(t, "slow")
	terminate(t, p)
	require.NoError(t, p.Call("Slow.Work", 100*time.Millisecond, new(int)))
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait(), "main has returned")
}

// TestTerminateUnconnected: there is nothing to wait for in a process that is no child.
func TestTerminateUnconnected(t *testing.T) {
	_, err := rpcpipe.Connect(t.Context(), nil)
	require.True(t, errors.Is(err, procspawn.ErrNotChild))
	require.False(t, signal.Ignored(syscall.SIGTERM))
}
