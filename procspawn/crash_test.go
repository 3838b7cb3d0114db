package procspawn

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

func overflow(n int) int {
	if n < 0 {
		return 0 // not for long
	}
	return overflow(n+1) + 1
}

// crashes are ways for a Go program to crash.
var crashes = map[string]func(){
	"panic": func() { panic("first line\nsecond line") },
	"nil": func() {
		var p *int
		*p = 1
	},
	"stack": func() {
		debug.SetMaxStack(16 << 20) // to fill a gigabyte takes seconds
		fmt.Fprint(os.Stderr, overflow(0))
	},
	"map": func() {
		m := make(map[int]int)
		for range 4 {
			go func() {
				for {
					m[1] = 1
				}
			}()
		}
		select {}
	},
	"goroutines": func() { // the trace is longer than what is kept of stderr
		block := make(chan int)
		for range 2000 {
			go func() { <-block }()
		}
		m := make(map[int]int)
		for range 4 {
			go func() {
				for {
					m[1] = 1
				}
			}()
		}
		<-block
	},
}

// crash crashes, once the parent has said so; early does before it connects.
var (
	_ = helper("crash", func(args []string) {
		l := connect(nil)
		l.Read(make([]byte, 1))
		fmt.Fprintln(os.Stderr, "fatal error: not this one, and no crash")
		crashes[args[0]]()
	})
	_ = helper("handled", func([]string) {
		func() {
			defer func() { fmt.Fprintf(os.Stderr, "panic: %v\n%s", recover(), debug.Stack()) }()
			panic("handled")
		}()
		l := connect(nil)
		io.Copy(l, l)
	})
	_ = helper("early", func(args []string) { crashes[args[0]]() })
)

// crashed runs a child that crashes.
func crashed(t *testing.T, opts *Options, stderr *os.File, env, kind string) *Exit {
	t.Helper()
	cmd := selfCmd("crash", kind)
	if stderr != nil {
		cmd.Stderr = stderr
	}
	cmd.Env = append(crashEnviron(t), env)
	p := startChild(t, cmd, opts)
	_, err := p.Link().Write([]byte("x"))
	require.NoError(t, err)
	<-p.Done()
	return p.Exit()
}

func TestCrash(t *testing.T) {
	for _, tt := range []struct {
		kind, env string
		begin     string // of the report
		fault     string // in the text
		contains  []string
	}{
		{"panic", "A=", "panic: first line\n", "panic: first line", []string{"second line", "goroutine 1 [running]", "crash_test.go"}},
		{"nil", "A=", "panic: runtime error: invalid memory", "panic: runtime error: invalid memory address or nil pointer dereference", []string{"[signal ", "goroutine 1 [running]"}},
		{"stack", "A=", "runtime: goroutine stack exceeds", "fatal error: stack overflow", []string{"procspawn.overflow"}},
		{"map", "A=", "fatal error: concurrent map writes\n", "fatal error: concurrent map writes", []string{"created by"}},
		{"goroutines", "GOTRACEBACK=all", "fatal error: concurrent map writes\n", "fatal error: concurrent map writes", []string{"chan receive"}},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			noLeaks(t)
			exit := crashed(t, nil, nil, tt.env, tt.kind)
			got := string(exit.Crash)
			assert.True(t, strings.HasPrefix(got, tt.begin), "%.300s", got)
			for _, text := range tt.contains {
				assert.Contains(t, got, text)
			}
			assert.Contains(t, exit.Error(), "crash: "+tt.fault)
			assert.NotContains(t, exit.Error(), "\n")
			if tt.kind == "goroutines" {
				assert.Greater(t, strings.Count(got, "\ngoroutine "), 2000) // none is missing
				assert.Greater(t, len(got), capture.TailSize)
			}
		})
	}
}

// TestCrashWithoutCapture: stderr is the caller's file.
func TestCrashWithoutCapture(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	assert.Nil(t, crashed(t, nil, null, "A=", "panic").Crash)
	exit := crashed(t, &Options{CrashOutput: On}, null, "A=", "panic")
	assert.True(t, bytes.HasPrefix(exit.Crash, []byte("panic: first line\n")))
	assert.False(t, exit.StderrCaptured)
	assert.Contains(t, exit.Error(), "crash: panic: first line")
}

// TestCrashFromStderr: there is no pipe for it.
func TestCrashFromStderr(t *testing.T) {
	exit := crashed(t, &Options{CrashOutput: Off}, nil, "A=", "map")
	assert.True(t, bytes.HasPrefix(exit.Crash, []byte("fatal error: concurrent map writes\n")), "%.100s", exit.Crash)
}

func TestCrashBeforeConnect(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("early", "map")
	cmd.Env = crashEnviron(t)
	_, err := Start(t.Context(), cmd, nil)
	var start *StartError
	require.ErrorAs(t, err, &start)
	assert.True(t, bytes.HasPrefix(start.Exit.Crash, []byte("fatal error: concurrent map writes\n")))
	assert.ErrorContains(t, err, "crash: fatal error: concurrent map writes")
}

// TestNoCrash: a program that just exits has not crashed, whatever it prints.
func TestNoCrash(t *testing.T) {
	noLeaks(t)
	exit := runPrint(t, selfCmd("print", "2panic: says the log\n", "2fatal error: it says\n"))
	assert.Nil(t, exit.Crash)
	assert.Contains(t, exit.Error(), "stderr: panic: says the log / fatal error: it says")
}

// TestPanicThatWasHandled: it is no crash, although stderr looks like it.
func TestPanicThatWasHandled(t *testing.T) {
	noLeaks(t)
	p := startChild(t, selfCmd("handled"), nil)
	echo(t, p, "alive")
	exit := p.Stop()
	assert.Contains(t, string(exit.Stderr), "panic: handled\ngoroutine ")
	assert.Nil(t, exit.Crash)
	assert.Equal(t, ByStop, exit.By)
}

// TestCrashOverStdio: there is no pipe, and the trace is longer than what is kept of stderr.
func TestCrashOverStdio(t *testing.T) {
	exit := crashed(t, &Options{Stdio: true}, nil, "GOTRACEBACK=all", "goroutines")
	assert.True(t, bytes.HasPrefix(exit.Crash, []byte("fatal error: concurrent map writes\n")), "%.100s", exit.Crash)
	assert.Greater(t, bytes.Count(exit.Crash, []byte("\ngoroutine ")), 2000)
	assert.Contains(t, exit.Error(), "crash: fatal error: concurrent map writes")
}
