package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/internal/tap"
)

var showCommand = &command{
	name: "show", args: "[flags] file",
	short: "show what a tap has recorded: who called what, how long it took, what waited",
	help: `The file is one of Options.Tap, or of the variable that a program has set as Options.TapEnv; - is standard
input. Each line is a message, or something else of the link, with its time in seconds since the record began:
calls and how they were answered, credit and grants (what each side lets the other send), and what waited:
"no credit" says for how long a side was not allowed to send messages of a class, "write held" for how long the
other side has read nothing. Frames that say little, as pings and the pieces of large messages, need -all.

-json writes a line of JSON for each. Where contents were recorded it has them, and the text their beginning.
-svg writes a picture of the calls, for a browser.

With -method, -id or -longer only calls, notifications and streams are shown that are meant by all of these, and
with -longer what has waited for so long. A call that was not answered has lasted until the end of the record.

A file that is cut or damaged is shown up to there, and the exit code is 1; it is 2 if the file is no tap at all.

The whole record is held in memory, of small calls in six to ten times the bytes of the file; MaxBytes of the Tap
bounds those.`,
	examples: []string{
		`viaduct show app.tap`,
		`viaduct show -method 'Arith.*' -longer 10ms app.tap`,
		`viaduct show -json app.tap | jq 'select(.what == "call" and .took > 0.1)'`,
		`viaduct show -svg app.tap | cat`,
	},
	flags: func(l *line) {
		recordFlags(l)
		f, w := l.flags, &l.filter
		f.BoolVar(&l.json, "json", false, "write lines of JSON")
		f.BoolVar(&l.svg, "svg", false, "write a picture of the calls")
		f.BoolVar(&w.all, "all", false, "show pings, pieces of large messages and data of streams, too")
		f.DurationVar(&w.longer, "longer", 0, "show what has taken so long, or longer, as in 10ms")
		f.Int64Var(&w.id, "id", -1, "show the call, or stream, with this `number`: each side has numbers of its own")
	},
	run: show,
}

// recordFlags are those of the commands that read a record.
func recordFlags(l *line) {
	l.flags.StringVar(&l.filter.method, "method", "", "only of methods that a `pattern` fits, as in 'Arith.*'")
	l.flags.UintVar(&l.filter.link, "link", 0, "the `number` of a link, of a record that has several")
}

// filter says what of a record is wanted.
type filter struct {
	method string
	link   uint
	id     int64 // -1: any
	longer time.Duration
	all    bool
}

func (f *filter) check(l *line) error {
	if _, err := path.Match(f.method, ""); err != nil {
		return l.usage("-method is %q: a name was expected, in which * stands for any text, ? for a character, and [a-c] for one of some", f.method)
	}
	isSet := false
	l.flags.Visit(func(given *flag.Flag) { isSet = isSet || given.Name == "id" })
	if isSet && f.id < 0 {
		return l.usage("-id is %d: 0 or more was expected", f.id)
	}
	if f.longer < 0 {
		return l.usage("-longer is %v: 0 or more was expected", f.longer)
	}
	return nil
}

// picks reports whether only some calls and streams are wanted.
func (f *filter) picks() bool { return f.method != "" || f.id >= 0 || f.longer > 0 }

func (f *filter) fits(method string) bool {
	ok, _ := path.Match(f.method, method)
	return ok || f.method == ""
}

// wants reports whether e is to be shown.
func (f *filter) wants(e *story.Event) bool {
	switch {
	case e.Link == nil:
		return true
	case f.link != 0 && uint(e.Link.Number) != f.link, e.Minor && !f.all:
		return false
	case !f.picks(), e.What == story.LinkBegins, e.What == story.LinkEnds:
		return true
	case e.What == story.OutOfCredit, e.What == story.WriteBlocked:
		return f.method == "" && f.id < 0 && e.Took >= f.longer
	case e.Call != nil:
		return f.wantsCall(e.Call)
	case e.Stream != nil:
		return f.method == "" && (f.id < 0 || int64(e.Stream.ID) == f.id) && lasted(e.Stream.Begin, e.Stream.End, e.Stream.Ended(), e.Link) >= f.longer
	}
	return false
}

func (f *filter) wantsCall(c *story.Call) bool {
	if c.Notification {
		return f.id < 0 && f.longer == 0 && f.fits(c.Method)
	}
	return f.fits(c.Method) && (f.id < 0 || int64(c.ID) == f.id) && lasted(c.Begin, c.End, c.Answered, c.Link) >= f.longer
}

// lasted is how long something has lasted, that which has not ended until the end of its link.
func lasted(begin, end time.Duration, ended bool, l *story.Link) time.Duration {
	if !ended {
		end = l.End
	}
	return end - begin
}

// readStory reads the record that a command line names.
func (l *line) readStory(s *streams) (*story.Story, error) {
	switch {
	case len(l.args) == 0:
		return nil, l.usage("the file of a tap was expected")
	case len(l.args) > 1:
		return nil, l.usage("one file was expected, and there is %q behind it", l.args[1])
	}
	name, src := l.args[0], s.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("%v", err)
		}
		defer f.Close()
		src = f
	}
	st, err := story.Read(src)
	if err != nil {
		if failed := damage(name, err); failed != nil { // within its header
			return nil, failed
		}
		return nil, usage("%s: %s", oneLine(name), clean(err.Error()))
	}
	if l.filter.link != 0 && linkOf(st, l.filter.link) == nil {
		return nil, usage("%s: there is no link %d: its links are %s", oneLine(name), l.filter.link, linkNumbers(st))
	}
	return st, nil
}

func linkOf(st *story.Story, number uint) *story.Link {
	for _, l := range st.Links {
		if uint(l.Number) == number {
			return l
		}
	}
	return nil
}

func linkNumbers(st *story.Story) string {
	text := ""
	for i, l := range st.Links {
		if i > 0 {
			text += ", "
		}
		if i == 20 {
			return text + "..."
		}
		text += fmt.Sprint(l.Number)
	}
	if text == "" {
		return "none"
	}
	return text
}

func show(_ context.Context, s *streams, l *line) error {
	if l.json && l.svg {
		return l.usage("there are -json and -svg: one of them was expected")
	}
	if err := l.filter.check(l); err != nil {
		return err
	}
	st, err := l.readStory(s)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	write := writeText
	switch {
	case l.json:
		write = writeJSON
	case l.svg:
		write = writeSVG
	}
	if err := errors.Join(write(out, st, &l.filter), out.Flush()); err != nil {
		return err
	}
	return damage(l.args[0], st.Err)
}

// damage is the failure of a record that is cut or damaged, as err says. It is nil if err says neither.
func damage(name string, err error) error {
	switch err.(type) {
	case *tap.CutError:
		return &failure{codeFailed, fmt.Sprintf("%s: %v: was the program killed, or is it still running?", oneLine(name), err)}
	case *tap.DamagedError:
		return &failure{codeFailed, fmt.Sprintf("%s: %s", oneLine(name), clean(err.Error()))}
	}
	return nil
}
