package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/player"
	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/value"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/procspawn"
)

var replayCommand = &command{
	name: "replay", args: "[flags] file -- program [argument...]",
	short: "play what a tap has recorded to another child, and compare what it answers",
	help: `The file is a tap with contents, recorded by the parent or by the child. A new child is started, and told what
the parent said: the same calls and notifications in the same order, each behind the answers and the callbacks
that came before it. What the child calls back is answered from the record, by method and order. Numbers of
calls, credit and times differ; deadlines are left out.

The answers are compared: as values, whatever the order of keys. With -method only those of some methods are,
which helps where answers have times or numbers of processes in them. Those of calls that were cancelled are not.
A line is written for each that differs, and then how many are the same. -timeout is how long each answer may
take, 10s unless it is given.

What has streams, or lacks something, cannot be replayed: the exit code is 6, and nothing is started.`,
	examples: []string{
		`viaduct replay app.tap -- ./child`,
		`viaduct replay -method 'Arith.*' app.tap -- ./child -v`,
		`viaduct replay -link 2 pool.tap -- ./child`,
	},
	flags: func(l *line) {
		recordFlags(l)
		l.filter.id = -1
		commonFlags(l)
	},
	run: replay,
}

// replayTime is how long each answer may take, unless it is said.
const replayTime = 10 * time.Second

func replay(ctx context.Context, s *streams, l *line) error {
	if err := l.filter.check(l); err != nil {
		return err
	}
	if err := l.checkTarget(); err != nil {
		return err
	}
	st, err := l.readStory(s)
	if err != nil {
		return err
	}
	one, err := l.oneLink(st)
	if err != nil {
		return err
	}
	script, err := player.NewScript(st, one)
	var unplayable *player.UnplayableError
	if errors.As(err, &unplayable) {
		return &failure{codeNotReplayable, "not replayable: " + clean(unplayable.Reason)}
	}
	link, stop, err := l.connectAs(ctx, s, &script.Played)
	if err != nil {
		return err
	}
	defer stop()
	r := &replayed{out: s.out, encoding: script.Played.Encoding}
	p := &player.Player{
		Script: script, Conn: link, Wait: cmp.Or(l.timeout, replayTime),
		Differs:  r.differs,
		Compares: func(c *story.Call) bool { return l.filter.fits(c.Method) },
	}
	err = p.Play(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &failure{codeLinkDied, clean(err.Error())}
	}
	fmt.Fprintf(s.out, "answers: %d the same, %d different\n", p.Same, p.Different)
	if n := unanswered(one, script.Out); n > 0 {
		fmt.Fprintf(s.out, "calls that have no answer in the record, and were not waited for: %d\n", n)
	}
	if !one.Ended {
		fmt.Fprintln(s.out, "the record ends before its link does: what came later was not played")
	}
	if p.Same+p.Different == 0 {
		return &failure{codeNotReplayable, "no answers were compared: the record has none, or -method fits none"}
	}
	if p.Different > 0 {
		return &failure{codeFailed, fmt.Sprintf("answers that differ, or are missing: %d", p.Different)}
	}
	return nil
}

// unanswered is how many calls of the side that is played have no answer.
func unanswered(l *story.Link, out bool) (n int) {
	for _, c := range l.Calls {
		if c.Out == out && !c.Notification && !c.Answered && !c.Aborted {
			n++
		}
	}
	return n
}

// oneLink returns the link that is meant.
func (l *line) oneLink(st *story.Story) (*story.Link, error) {
	switch {
	case l.filter.link != 0:
		return linkOf(st, l.filter.link), nil
	case len(st.Links) == 1:
		return st.Links[0], nil
	case len(st.Links) == 0:
		return nil, &failure{codeNotReplayable, "not replayable: the record has no link"}
	}
	return nil, l.usage("the record has several links, %s: -link was expected", linkNumbers(st))
}

// connectAs starts the program of l, or reaches it, and is to it what another side was.
func (l *line) connectAs(ctx context.Context, s *streams, as *tap.Side) (*duplex.Conn, func(), error) {
	t := &l.target
	opts := &procspawn.Options{
		Name: cmp.Or(t.name, as.Name), Version: cmp.Or(t.version, as.Version),
		HandshakeTimeout: t.start, Stdio: t.stdio,
	}
	handles.SetHello(opts, handles.Hello{
		MaxMessage: int(min(as.MaxMessage, math.MaxInt32)),
		Encoding:   as.Encoding, Bodies: as.Bodies, Features: as.Features, Plain: as.Lang != "go",
	})
	var link *procspawn.Link
	stop := func() {}
	if t.socket == "" {
		process, err := procspawn.Start(ctx, t.cmd(s, l.program), opts)
		if err != nil {
			return nil, nil, notStarted(ctx, err)
		}
		link, stop = process.Link(), func() { process.Stop() }
	} else {
		conn, err := t.dialConn(ctx)
		if err == nil {
			link, err = procspawn.Handshake(ctx, conn, opts)
		}
		if err != nil {
			return nil, nil, notStarted(ctx, err)
		}
	}
	remote := link.Remote()
	duplexOpts := &duplex.Options{
		MaxMessage: int(min(as.MaxMessage, math.MaxInt32)),
		MaxSend:    int(min(remote.MaxMessage, math.MaxInt32)),
	}
	sumsOut, sumsIn := handles.Sums(link)
	duplexOpts.Checksum = framesum.Agreed(as.Features, remote.Features)
	handles.SetFrames(duplexOpts, handles.Frames{
		SumsOut: sumsOut, SumsIn: sumsIn,
		NoStreams:  !slices.Contains(remote.Features, "streams"),
		NoShutdown: !slices.Contains(remote.Features, "shutdown"),
		Eager:      slices.Contains(remote.Features, "eager") && slices.Contains(as.Features, "eager"),
	})
	conn := duplex.New(link, duplexOpts)
	return conn, func() { conn.Close(); stop() }, nil
}

// replayed writes what differs.
type replayed struct {
	out      io.Writer
	encoding string
}

func (r *replayed) differs(c *story.Call, text string, was, is *message.Message) {
	what := oneLine(c.Method)
	if c.Link != nil {
		what = fmt.Sprintf("%s #%d, at %.6f,", what, c.ID, c.Begin.Seconds())
	}
	fmt.Fprintf(r.out, "%s %s\n", what, text)
	for _, x := range []struct {
		what string
		m    *message.Message
	}{{"was", was}, {"is", is}} {
		if x.m != nil {
			fmt.Fprintf(r.out, "  %-4s %s\n", x.what, r.text(x.m))
		}
	}
}

// text is what an answer says.
func (r *replayed) text(m *message.Message) string {
	body, kind := m.Body, "reply"
	if m.Err != nil {
		body, kind = m.Err, "error"
	}
	n, err := mpack.Skip(body, maxDepth)
	if err != nil {
		return fmt.Sprintf("%s of %d bytes that are not well-formed", kind, len(body))
	}
	if b, rest, err := mpack.ReadBin(body[:n]); err == nil && len(rest) == 0 && r.encoding == "json" {
		return kind + " " + oneLine(string(bytes.TrimSpace(b)))
	}
	return kind + " " + cut(oneLine(string((*value.Schema)(nil).JSON(nil, body[:n], ""))), 1000)
}
