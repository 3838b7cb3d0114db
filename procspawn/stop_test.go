package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The stubborn helper outlives its link, and with an argument SIGTERM too.
var _ = helper("stubborn", func(args []string) {
	if len(args) > 0 {
		signal.Ignore(syscall.SIGTERM)
	}
	l := connect(&Options{ExitTimeout: -1})
	io.WriteString(l, "ready")
	io.Copy(io.Discard, l)
	select {}
})

func startStubborn(t *testing.T, opts *Options, args ...string) *Process {
	t.Helper()
	p := startChild(t, selfCmd("stubborn", args...), opts)
	_, err := io.ReadFull(p.Link(), make([]byte, 5))
	require.NoError(t, err)
	return p
}

func TestStopLadder(t *testing.T) {
	opts := &Options{CloseTimeout: 100 * time.Millisecond, TermTimeout: 100 * time.Millisecond}
	t.Run("close link", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("echo"), &Options{CloseTimeout: time.Minute})
		within(t, 300*time.Millisecond, "Stop", func() {
			exit := p.Stop()
			assert.Equal(t, StepCloseLink, exit.Step)
			assert.Equal(t, 0, exit.Code)
		})
	})
	t.Run("kill", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, opts, "ignore")
		within(t, 500*time.Millisecond, "Stop", func() {
			exit := p.Stop()
			assert.Equal(t, StepKill, exit.Step)
			assert.Equal(t, os.Kill, exit.Signal)
			assert.Equal(t, -1, exit.Code)
			if terminates {
				assert.GreaterOrEqual(t, exit.Lifetime, opts.CloseTimeout+opts.TermTimeout)
			}
		})
	})
	t.Run("no patience", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, &Options{CloseTimeout: -1, TermTimeout: -1}, "ignore")
		within(t, 200*time.Millisecond, "Stop", func() {
			assert.Equal(t, StepKill, p.Stop().Step)
		})
	})
	t.Run("the link's owner closes it", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("echo"), nil)
		p.Link().Close()
		<-p.Done()
		assert.Equal(t, StepCloseLink, p.Exit().Step)
	})
}

func TestStopFromManyGoroutines(t *testing.T) {
	noLeaks(t)
	last := StepTerminate
	if !terminates {
		last = StepKill
	}
	p := startStubborn(t, &Options{CloseTimeout: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			exit := p.Stop()
			assert.Equal(t, last, exit.Step)
			assert.Same(t, exit, p.Exit())
		})
	}
	wg.Wait()
}

// The die helper ends in the way of its argument once it has read a byte.
var _ = helper("die", func(args []string) {
	l := connect(nil)
	l.Read(make([]byte, 1))
	fmt.Fprintln(os.Stderr, "dying")
	switch args[0] {
	case "exit":
		os.Exit(5)
	case "panic":
		panic("moo")
	case "abort":
		abort()
	}
})

func TestExitReport(t *testing.T) {
	tests := []struct {
		how  string
		code int
		sig  os.Signal
		want string
	}{
		{"return", 0, nil, "exited: exit status 0; stderr: dying"},
		{"exit", 5, nil, "exited: exit status 5; stderr: dying"},
		{"panic", 2, nil, "exited: exit status 2; crash: panic: moo"},
		{"abort", 2, nil, "exited: exit status 2"}, // the runtime prints all stacks
	}
	for _, tt := range tests {
		t.Run(tt.how, func(t *testing.T) {
			noLeaks(t)
			p := startChild(t, selfCmd("die", tt.how), nil)
			_, err := p.Link().Write([]byte{1})
			require.NoError(t, err)
			_, err = readEnd(p)
			var exit *Exit
			require.ErrorAs(t, err, &exit)
			<-p.Done()
			assert.Same(t, exit, p.Exit())
			assert.Equal(t, p.Pid(), exit.Pid)
			assert.Equal(t, tt.code, exit.Code)
			assert.Equal(t, tt.sig, exit.Signal)
			assert.Equal(t, StepNone, exit.Step)
			assert.Equal(t, ByItself, exit.By)
			assert.ErrorContains(t, exit, tt.want)

			_, again := p.Link().Read(make([]byte, 1))
			assert.Same(t, exit, again)
			_, werr := p.Link().Write([]byte{1})
			assert.Same(t, exit, werr)
			if _, werr = p.Link().WriteNow([]byte{1}); !errors.Is(werr, errors.ErrUnsupported) {
				assert.Same(t, exit, werr)
			}
			assert.Same(t, exit, p.Stop())
		})
	}
}

// exec.CommandContext keeps its meaning, after Start too.
func TestCommandContext(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	self := selfCmd("echo")
	p := startChild(t, exec.CommandContext(ctx, self.Path, self.Args[1:]...), nil)
	echo(t, p, "moo")
	cancel()
	_, err := readEnd(p)
	var exit *Exit
	require.ErrorAs(t, err, &exit)
	assertKilled(t, exit)
	assert.Equal(t, ByContext, exit.By)
	assert.Contains(t, exit.Error(), " (the context of its command ended)")
	assert.NotErrorIs(t, err, context.Canceled)
	p.Stop()
}

// TestCancelAndWaitDelay: the caller's own way to end the process, and the time it is given, stay.
func TestCancelAndWaitDelay(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	self := selfCmd("stubborn", "ignore")
	cmd := exec.CommandContext(ctx, self.Path, self.Args[1:]...)
	called := make(chan struct{})
	cmd.Cancel = func() error {
		close(called)
		return cmd.Process.Signal(syscall.SIGTERM) // which it ignores
	}
	cmd.WaitDelay = 50 * time.Millisecond // and then it is killed
	p := startChild(t, cmd, nil)
	_, err := io.ReadFull(p.Link(), make([]byte, 5))
	require.NoError(t, err)
	cancel()
	within(t, time.Second, "the end", func() { <-p.Done() })
	<-called
	assertKilled(t, p.Exit())
	assert.Equal(t, ByContext, p.Exit().By)

	// A start that fails leaves Cancel as it was.
	cmd = exec.CommandContext(ctx, "/no/such/program")
	cmd.Cancel = nil
	_, err = Start(t.Context(), cmd, nil)
	require.Error(t, err)
	assert.Nil(t, cmd.Cancel)
}

// The context of Start bounds the start alone.
func TestStartContextDoesNotBoundTheLife(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	p, err := Start(ctx, selfCmd("echo"), &Options{HandshakeTimeout: 5 * time.Second})
	require.NoError(t, err)
	cancel()
	echo(t, p, "moo")
	p.Stop()
}
