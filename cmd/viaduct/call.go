package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/value"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var callCommand = &command{
	name: "call", args: "[flags] method [json | -] -- program [argument...]",
	short: "call a method and write its reply as JSON",
	help: `The JSON of the argument is turned into what the method takes by the types that the program lists: bytes
are strings of base64, times are RFC 3339, durations are as in "1.5s", integers are exact, keys of maps are
turned into their types, and fields that are not there stay as they are. With - the JSON is read from standard
input, without any there is no argument.

If the program does not list its methods, or with -untyped, only plain values are sent: a string is a string,
and bytes, times, ext values and maps with other keys are written as
    {"$bin": base64}  {"$time": RFC 3339}  {"$ext": [type, base64]}  {"$map": [[key, value], ...]}
So are replies, where nothing says what they are.

With -calls each line of a file is a call: a method, and behind a space its JSON. Empty lines, and those that
begin with #, are passed over. For each call a line is written: an object with line, method, and reply or error
and code. The calls are made one after the other; one that fails does not hold up the others, and the first of
their codes is the exit code.`,
	examples: []string{
		`viaduct call Arith.Add '{"A":1,"B":2}' -- ./child`,
		`viaduct call -timeout 2s Files.Read '"/etc/hosts"' -- ./child -v | jq -r . | base64 -d`,
		`jq -n '{A:1,B:2}' | viaduct call Arith.Add - -- ./child`,
		`viaduct call -oneway Log.Say '"hello"' -- ./child`,
		`viaduct call -meta user=ada -socket unix:/run/arith.sock Arith.Add '{"A":1,"B":2}'`,
		`viaduct call -calls calls.txt -- ./child | jq .reply`,
		`viaduct call -stdio Arith.Add '{"A":1}' -- ssh -T host ./child`,
	},
	flags: func(l *line) {
		commonFlags(l)
		f := l.flags
		f.BoolVar(&l.oneWay, "oneway", false, "call one way: wait until the method has run, if the program can say so, and for no reply")
		f.BoolVar(&l.untyped, "untyped", false, "do not ask for types: send plain values")
		f.StringVar(&l.calls, "calls", "", "make the calls in a `file`, - for standard input")
		f.Var(l.meta, "meta", "attach `key=value`; may be given several times")
	},
	run: call,
}

// maxInput bounds the JSON that is read: no program takes larger messages unless it says so.
const maxInput = 128 << 20

func call(ctx context.Context, s *streams, l *line) (err error) {
	one, err := l.oneCall(ctx, s)
	if err != nil {
		return err
	}
	p, err := l.connect(ctx, s)
	if err != nil {
		return err
	}
	c := &caller{peer: p, line: l, streams: s}
	defer func() { end(ctx, p, c.fatal(err)) }()
	if err := c.learn(ctx); err != nil {
		return err
	}
	if l.calls != "" {
		return c.all(ctx)
	}
	reply, err := c.call(ctx, one)
	if err != nil || l.oneWay {
		return err
	}
	_, err = s.out.Write(append(reply, '\n'))
	return err
}

// order is what is to be called.
type order struct {
	method string
	text   []byte // JSON; nil: no argument
}

// oneCall returns the call of the command line, if it is there and not in a file.
func (l *line) oneCall(ctx context.Context, s *streams) (*order, error) {
	switch {
	case l.calls != "" && len(l.args) > 0:
		return nil, l.usage("there are -calls and a method %q: one of them was expected", l.args[0])
	case l.calls != "":
		return nil, nil
	case len(l.args) == 0:
		return nil, l.usage("a method was expected")
	case len(l.args) > 2:
		return nil, l.usage("a method and its JSON were expected, and there is %q behind them: has the JSON quotes around it?", l.args[2])
	case len(l.args) == 1:
		return &order{method: l.args[0]}, nil
	case l.args[1] != "-":
		return &order{l.args[0], []byte(l.args[1])}, nil
	}
	text, err := readInput(ctx, s.in)
	return &order{l.args[0], text}, err
}

// readInput reads all of r, until ctx ends: a terminal may never do.
func readInput(ctx context.Context, r io.Reader) ([]byte, error) {
	var text []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		text, err = io.ReadAll(io.LimitReader(r, maxInput+1))
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case err != nil:
		return nil, usage("standard input: %v", err)
	case len(text) > maxInput:
		return nil, usage("standard input has more than %d bytes of JSON", maxInput)
	}
	return text, nil
}

// caller makes the calls of a line.
type caller struct {
	peer    *rpcpipe.Peer
	line    *line
	streams *streams

	listing *rpcpipe.Listing // nil: there is none
	schema  *value.Schema
}

// learn asks for the types, and says so if there are none.
func (c *caller) learn(ctx context.Context) error {
	if c.line.untyped {
		return nil
	}
	listing, err := c.line.listing(ctx, c.peer)
	if err != nil {
		if isUnlisted(err) {
			fmt.Fprintf(c.streams.err, "viaduct: only plain values are sent, and {\"$bin\": base64} and so on, as types are not known: %s\n", oneLine(err.Error()))
			return nil
		}
		return err
	}
	c.listing, c.schema = listing, value.NewSchema(listing)
	return nil
}

// call makes a call, and returns its reply as JSON.
func (c *caller) call(ctx context.Context, o *order) ([]byte, error) {
	m := &rpcpipe.Method{Name: o.method}
	if c.listing != nil {
		if m = find(c.listing, o.method); m == nil {
			return nil, noMethod(o.method, c.listing)
		}
	}
	params, err := c.schema.Params(o.text, m.Arg)
	if err != nil {
		return nil, c.badArgument(m, err)
	}
	ctx, cancel := c.line.limited(ctx)
	defer cancel()
	if len(c.line.meta) > 0 {
		ctx = viaduct.WithMetadata(ctx, c.line.meta)
	}
	args, err := split(params)
	if err != nil {
		return nil, err
	}
	if c.line.oneWay {
		return nil, c.notify(ctx, o.method, args)
	}
	var reply raw
	if err := c.peer.CallContext(ctx, o.method, args, &reply); err != nil {
		if deadline, ok := ctx.Deadline(); ok && isRemote(err) && !time.Now().Before(deadline) {
			err = context.DeadlineExceeded // the method was told, and has been faster than this side
		}
		return nil, c.explain(o.method, err)
	}
	return c.schema.JSON(nil, reply, m.Reply), nil
}

// notify calls one way, and waits until the method has run.
func (c *caller) notify(ctx context.Context, method string, args any) error {
	err := c.peer.Notify(ctx, method, args)
	if err == nil {
		err = c.peer.Sync(ctx)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil // then the end of the link waits
	}
	return err
}

func (c *caller) badArgument(m *rpcpipe.Method, err error) error {
	shape := ""
	if example := c.schema.Example(m.Arg); c.listing != nil && example != "" && example != "null" {
		shape = fmt.Sprintf("\n%s takes %s, as in %s", oneLine(m.Name), orAny(m.Arg), clean(example))
	}
	return usage("argument of %s: %s%s", oneLine(m.Name), clean(err.Error()), shape)
}

// explain adds to what a method has failed with what it has said for programs.
func (c *caller) explain(method string, err error) error {
	var parts *viaduct.Error
	var crash *viaduct.PanicError
	switch {
	case errors.As(err, &parts) && isRemote(err):
		text := fmt.Sprintf("%s: %s (code %d", oneLine(method), clean(err.Error()), parts.Code)
		if data, jsonErr := json.Marshal(parts.Data); jsonErr == nil && parts.Data != nil {
			text += ", data " + clean(string(data))
		}
		return &failure{codeFailed, text + ")"}
	case errors.As(err, &crash):
		return &failure{codeFailed, fmt.Sprintf("%s: %s\n%s", oneLine(method), clean(err.Error()), clean(crash.Stack))}
	case isRemote(err):
		f := failureOf(context.Background(), err)
		return &failure{f.code, oneLine(method) + ": " + f.text}
	}
	return err
}

// fatal returns err if it is about the link, not about a call alone: then the end has nothing to wait
// for.
func (c *caller) fatal(err error) error {
	var f *failure
	if errors.As(err, &f) && (f.code == codeFailed || f.code == codeNoMethod || f.code == codeUsage) {
		return nil
	}
	return err
}

// raw is MessagePack as it is.
type raw []byte

func (r raw) MarshalMsg(b []byte) ([]byte, error) { return append(b, r...), nil }

func (r *raw) UnmarshalMsg(b []byte) ([]byte, error) {
	*r = bytes.Clone(b)
	return nil, nil
}

// split returns params as what is sent as they are.
func split(params []byte) (viaduct.Params, error) {
	n, b, err := mpack.ReadArray(params)
	args := make(viaduct.Params, 0, n)
	for range n {
		size, err := mpack.Skip(b, maxNesting)
		if err != nil {
			return nil, err
		}
		args = append(args, raw(b[:size]))
		b = b[size:]
	}
	return args, err
}

// maxNesting is more than JSON may nest here.
const maxNesting = 3000
