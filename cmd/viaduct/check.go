package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var checkCommand = &command{
	name: "check", args: "[flags] -- program [argument...]",
	short: "start a program, look at it, end it, and say what is wrong",
	help: `It looks at the start and the hello, versions, limits and features, the methods and their types, a ping, how
a call to no method is answered, and how the program ends when it is told to. A line that begins with BAD is
about something that is wrong, and there is one for each; -timeout is 10s unless it is given.`,
	examples: []string{
		`viaduct check -- ./child`,
		`viaduct check -name app -app-version 2.1 -- ./plugin`,
		`viaduct check -socket tcp:localhost:7000`,
	},
	flags: commonFlags,
	run:   check,
}

// checkTime is how long each answer may take, unless it is said.
const checkTime = 10 * time.Second

// report is what a check has found.
type report struct {
	streams *streams
	bad     int
}

func (r *report) ok(what, format string, args ...any) { r.line("ok", what, format, args...) }

// note is about what is no fault, but may surprise.
func (r *report) note(what, format string, args ...any) { r.line("note", what, format, args...) }

func (r *report) wrong(what, format string, args ...any) {
	r.bad++
	r.line("BAD", what, format, args...)
}

func (r *report) line(mark, what, format string, args ...any) {
	fmt.Fprintf(r.streams.out, "%-4s %-8s %s\n", mark, what, oneLine(fmt.Sprintf(format, args...)))
}

func check(ctx context.Context, s *streams, l *line) error {
	if len(l.args) > 0 {
		return l.usage("no arguments were expected, and there is %q", l.args[0])
	}
	l.timeout = cmp.Or(l.timeout, checkTime)
	l.target.capture = true
	r := &report{streams: s}
	begin := time.Now()
	p, err := l.connect(ctx, s)
	if err != nil {
		return err
	}
	defer p.Close()
	r.hello(p, time.Since(begin))
	for _, look := range []func(context.Context, *rpcpipe.Peer) error{r.methods, r.ping, r.call} {
		limited, cancel := l.limited(ctx)
		err := look(limited, p)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // without the link there is no more to see
			r.wrong("link", "%v", err)
			p.Close()
			r.output(p)
			return &failure{codeLinkDied, "the link has ended"}
		}
	}
	limited, cancel := l.limited(ctx)
	defer cancel()
	r.end(limited, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.bad > 0 {
		return &failure{codeFailed, fmt.Sprintf("things that are wrong: %d", r.bad)}
	}
	return nil
}

// features are those that a peer of this version has.
var features = []string{"streams", "shutdown", "calls", "sync", "settle", "methods"}

func (r *report) hello(p *rpcpipe.Peer, took time.Duration) {
	if process := p.Process(); process != nil {
		r.ok("start", "process %d has said hello after %v", process.Pid(), took.Round(time.Millisecond))
	} else {
		r.ok("start", "connected after %v", took.Round(time.Millisecond))
	}
	remote := p.Remote()
	r.ok("hello", "language %s, application %s, version %s, process %d",
		cmp.Or(remote.Language, "not told"), cmp.Or(remote.Name, "not told"), cmp.Or(remote.Version, "not told"), remote.Pid)
	r.ok("protocol", "version %d, encoding %s", remote.Protocol, remote.Encoding)
	switch limit := remote.MaxMessage; {
	case limit < 1<<16:
		r.note("limits", "messages of at most %d bytes: larger arguments are refused", limit)
	default:
		r.ok("limits", "messages of at most %d bytes", limit)
	}
	known, missing := strings.Fields(remote.Features), []string(nil)
	for _, f := range features {
		if !slices.Contains(known, f) {
			missing = append(missing, f)
		}
	}
	r.ok("features", "%s", cmp.Or(strings.Join(known, " "), "none"))
	if missing != nil {
		r.note("features", "without %s: an older viaduct, another implementation, or told not to", strings.Join(missing, " "))
	}
}

// methods returns an error if the link has ended, as the others do.
func (r *report) methods(ctx context.Context, p *rpcpipe.Peer) error {
	listing, err := p.Methods(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		r.note("methods", "not listed: call sends plain values")
		return nil
	case err != nil:
		return r.failed("methods", err, p)
	case len(listing.Methods) == 0:
		r.note("methods", "there are none: are they registered before rpcpipe.Connect?")
		return nil
	}
	r.ok("methods", "%d, with %d types", len(listing.Methods), len(listing.Types))
	goOnly := make(map[string]bool)
	for i := range listing.Types {
		goOnly[listing.Types[i].Name] = listing.Types[i].Is == "go"
	}
	for i := range listing.Methods {
		m := &listing.Methods[i]
		for _, x := range [][2]string{{"argument", m.Arg}, {"reply", m.Reply}} {
			what, of := x[0], x[1]
			switch {
			case of == "never":
				r.wrong("methods", "%s: its %s cannot be sent: %s", m.Name, what, strings.Join(m.Notes, "; "))
			case of == "go" || goOnly[of]:
				r.note("methods", "%s: its %s is of type %s, which only Go programs can send", m.Name, what, of)
			}
		}
	}
	return nil
}

func (r *report) ping(ctx context.Context, p *rpcpipe.Peer) error {
	took, err := p.Ping(ctx)
	if err != nil {
		return r.failed("ping", err, p)
	}
	r.ok("ping", "answered after %v", took.Round(time.Microsecond))
	return nil
}

// nobody is a method that nobody has.
const nobody = "ViaductCheck.Nobody"

func (r *report) call(ctx context.Context, p *rpcpipe.Peer) error {
	err := p.CallContext(ctx, nobody, nil, nil)
	switch {
	case err == nil:
		r.wrong("call", "a call of %s, which is no method, was answered as if it was one", nobody)
	case isRemote(err):
		r.ok("call", "calls are answered: %v", err)
	default:
		return r.failed("call", err, p)
	}
	return nil
}

// failed reports err, and returns it if the link has ended.
func (r *report) failed(what string, err error, p *rpcpipe.Peer) error {
	if p.Err() != nil {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		r.wrong(what, "no answer in time: is the program stopped, or busy?")
	} else {
		r.wrong(what, "%v", err)
	}
	return nil
}

// end ends the link in order, and the program.
func (r *report) end(ctx context.Context, p *rpcpipe.Peer) {
	begin := time.Now()
	err := p.Shutdown(ctx)
	took := time.Since(begin).Round(time.Millisecond)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.wrong("end", "something was still going on after %v, and was cut short", took)
	case err != nil:
		r.wrong("end", "%v", err)
	default:
		r.ok("end", "the link has ended in order after %v", took)
	}
	if p.Process() == nil {
		return
	}
	switch exit := p.Process().Exit(); {
	case exit == nil:
		r.wrong("exit", "the program has not ended")
	case exit.Step > procspawn.StepCloseLink:
		r.wrong("exit", "the program did not end when its link was closed: %v", exit)
	case exit.Code != 0:
		r.wrong("exit", "%v", exit)
	default:
		r.ok("exit", "status 0 after %v", exit.Lifetime.Round(time.Millisecond))
	}
	r.output(p)
}

// output shows what the program has printed.
func (r *report) output(p *rpcpipe.Peer) {
	if p.Process() == nil || p.Process().Exit() == nil {
		return
	}
	exit := p.Process().Exit()
	for _, x := range []struct {
		what string
		text []byte
	}{{"stdout", exit.Stdout}, {"stderr", exit.Stderr}} {
		for text := range strings.SplitSeq(strings.TrimRight(string(x.text), "\n"), "\n") {
			if text != "" {
				r.note(x.what, "%s", text)
			}
		}
	}
}
