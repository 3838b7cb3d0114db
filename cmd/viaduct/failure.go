package main

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"strings"
	"unicode"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/nearest"
)

// The exit codes.
const (
	codeOK         = 0
	codeFailed     = 1 // the method failed, the check has found something, or answers differ
	codeUsage      = 2
	codeNoMethod   = 3
	codeNotStarted = 4
	codeLinkDied   = 5

	codeNotReplayable = 6

	codeDeadline    = 124
	codeInterrupted = 130
)

// codeTexts are what help says of them.
var codeTexts = []struct {
	code int
	text string
}{
	{codeOK, "done"},
	{codeFailed, "the method failed, the check has found something wrong, or a replay's answers differ"},
	{codeUsage, "the command line, or the JSON, is not as it was expected"},
	{codeNoMethod, "there is no such method"},
	{codeNotStarted, "the program was not started, or does not fit"},
	{codeLinkDied, "the link, or the program, has ended"},
	{codeNotReplayable, "the record cannot be replayed: it has streams, or sizes only, or is not whole"},
	{codeDeadline, "-timeout is over"},
	{codeInterrupted, "interrupted"},
}

// failure is an error with an exit code.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func usage(format string, args ...any) error {
	return &failure{codeUsage, fmt.Sprintf(format, args...)}
}

// failureOf returns err as a failure. ctx ends when the user interrupts.
func failureOf(ctx context.Context, err error) *failure {
	var f *failure
	var unsent *viaduct.BodyError
	switch {
	case errors.As(err, &f):
		return f
	case ctx.Err() != nil:
		return &failure{codeInterrupted, "interrupted"}
	case errors.Is(err, context.DeadlineExceeded) && !isRemote(err):
		return &failure{codeDeadline, "-timeout is over"}
	case errors.Is(err, viaduct.ErrNotBegun) && strings.HasPrefix(err.Error(), "rpc: can't find "),
		errors.Is(err, viaduct.ErrNotBegun) && strings.HasPrefix(err.Error(), "rpc: service/method request ill-formed"):
		return &failure{codeNoMethod, clean(err.Error())} // net/rpc has no better way to say so
	case errors.As(err, new(*viaduct.SizeError)) && !isRemote(err), errors.As(err, &unsent) && unsent.Op == "encode" && !isRemote(err):
		return &failure{codeUsage, clean(err.Error())} // of what the user has given
	case errors.Is(err, rpc.ErrShutdown):
		return &failure{codeLinkDied, clean(err.Error())}
	}
	return &failure{codeFailed, clean(err.Error())}
}

// isRemote reports whether the other side has said err.
func isRemote(err error) bool { return errors.As(err, new(rpc.ServerError)) }

// clean returns s without what a terminal would take for more than text: others have written it.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine is clean for what stands in a line.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// offer says which of names are near to one.
func offer(name string, names []string) string {
	near := nearest.To(name, names)
	if len(near) == 0 {
		return ""
	}
	return " (is it " + oneLine(strings.Join(near, ", ")) + "?)"
}
