package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// playMain, in the environment, has the test binary be the command.
const playMain = "VIADUCT_TEST_MAIN"

// children are the programs that the test binary plays when it is started as a child: its first
// argument names one.
var children = map[string]func(){
	"arith":    func() { serve(&rpcpipe.Options{Name: "arith", Version: "1.2"}) },
	"unlisted": func() { serve(&rpcpipe.Options{NoListing: true}) },
	"json":     func() { serve(&rpcpipe.Options{Encoding: viaduct.JSON}) },
	"picky":    func() { serve(&rpcpipe.Options{NeedName: "app", MinVersion: "2"}) },
	"silent":   func() { select {} },
	"leaves":   func() { fmt.Fprintln(os.Stderr, "cannot find my files"); os.Exit(7) },
	"exit3":    func() { serve(nil); os.Exit(3) },
	"stays": func() { // until it is killed
		serve(&rpcpipe.Options{ExitTimeout: -1, HandlesSIGTERM: true})
		select {}
	},
	"none": func() {
		if p, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Server: rpc.NewServer()}); err == nil {
			p.Wait()
		}
	},
	"small": func() { serve(&rpcpipe.Options{MaxMessage: 4 << 10}) },
	"mute": func() {
		rpc.RegisterName("Mute", Mute{})
		serve(nil)
	},
	"never": func() {
		rpc.RegisterName("Bad", Bad{})
		serve(nil)
	},
}

func TestMain(m *testing.M) {
	switch {
	case rpcpipe.IsChild():
		children[os.Args[1]]()
		os.Exit(0)
	case os.Getenv(playMain) != "":
		main()
	}
	// A program with the race detector sleeps for a second in os.Exit.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// serve serves Arith until the link ends.
func serve(opts *rpcpipe.Options) {
	rpc.Register(Arith{})
	p, err := rpcpipe.Connect(context.Background(), opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(6)
	}
	p.Wait()
}

// Arith is what the children serve.
type Arith struct{}

type Args struct {
	A int `doc:"the first"`
	B int
}

// All has a field of each kind.
type All struct {
	I8    int8
	U64   uint64
	F     float64
	S     string
	Bytes []byte
	At    time.Time
	For   time.Duration
	ByN   map[int]string
	List  []Args
	Next  *All
	Any   any
}

// Shape is known to Go programs by its name.
type Shape struct{ Sides int }

func init() { gob.Register(Shape{}) }

func (Arith) MethodDocs() map[string]string {
	return map[string]string{"Add": "adds two numbers\n\x1b[31mas you know"}
}

func (Arith) Add(args Args, sum *int) error { *sum = args.A + args.B; return nil }

func (Arith) Div(args Args, quotient *int) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	*quotient = args.A / args.B
	return nil
}

func (Arith) Echo(all All, reply *All) error { *reply = all; return nil }

// Kind says what has come, as Go sees it.
func (Arith) Kind(v any, kind *string) error { *kind = fmt.Sprintf("%T", v); return nil }

func (Arith) Shape(_ struct{}, v *any) error { *v = Shape{3}; return nil }

func (Arith) Say(text string, _ *struct{}) error {
	fmt.Fprintln(os.Stderr, "said:", text)
	fmt.Println("on stdout")
	return nil
}

func (Arith) Log(text string, _ *struct{}) error { return nil }

// Call is an argument with nothing in it but what is known of the call.
type Call struct{ viaduct.Caller }

func (Arith) Meta(call *Call, pairs *map[string]string) error {
	*pairs = viaduct.Metadata(call.Context())
	return nil
}

func (Arith) Wait(call *Call, _ *struct{}) error {
	_, limited := call.Context().Deadline()
	fmt.Fprintln(os.Stderr, "waiting; with a deadline:", limited)
	<-call.Context().Done()
	return call.Context().Err()
}

func (Arith) Fail(call *Call, _ *struct{}) error {
	return call.Fail(&viaduct.Error{Code: -7, Message: "out of paper", Data: map[string]any{"tray": 2}})
}

func (Arith) Exit(code int, _ *struct{}) error { os.Exit(code); return nil }

func (Arith) Panic(text string, _ *struct{}) error { panic(text) }

// Bad has a method that always fails.
type Bad struct{}

func (Bad) Chan(int, *chan int) error { return nil }

// Mute never says what its methods do.
type Mute struct{ Bad }

func (Mute) MethodDocs() map[string]string { select {} }

// ran is what became of a command.
type ran struct {
	out, err string
	code     int
}

// self is the command line behind -- that has the test binary play a child.
func self(name string) []string { return []string{"--", os.Args[0], name} }

// cmdOf returns the command with a command line.
func cmdOf(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), playMain+"=1")
	return cmd
}

// viaductIn runs the command as a process of its own, with this on its standard input.
func viaductIn(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	cmd := cmdOf(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// with runs the command and a child that the test binary plays.
func with(t *testing.T, child string, args ...string) ran {
	t.Helper()
	return viaductIn(t, "", append(args, self(child)...)...)
}

// want requires a code, all that was written to standard output, and parts of what was written to
// standard error.
func (r ran) want(t *testing.T, code int, out string, errs ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, %d was expected", r.code, code)
	}
	if r.out != out {
		t.Errorf("standard output:\n%s\n%s\nwas expected", r.out, out)
	}
	for _, s := range errs {
		if !strings.Contains(r.err, s) {
			t.Errorf("standard error has no %q", s)
		}
	}
	if errs == nil && r.err != "" {
		t.Errorf("nothing was expected there")
	}
	if t.Failed() {
		t.Fatalf("standard error:\n%s", r.err)
	}
}
