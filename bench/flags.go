package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// options are what the flags say.
type options struct {
	quick    bool
	rounds   int
	slice    time.Duration
	rows     *regexp.Regexp
	who      *regexp.Regexp
	json     string
	svg      string
	from     string
	profile  string
	markdown bool
	gate     bool
}

// parse reads the flags. What is wrong with them is told by the error alone.
func parse(args []string, usage io.Writer) (*options, error) {
	o := &options{rows: regexp.MustCompile(""), who: regexp.MustCompile("")}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.quick, "quick", false, "fewer rows and rounds, less than a minute")
	flags.IntVar(&o.rounds, "rounds", 0, "how many `rounds` (15, or 3 with -quick)")
	flags.DurationVar(&o.slice, "slice", 0, "how `long` a contender works in each round (200ms, or 30ms with -quick)")
	flags.TextVar(o.rows, "rows", o.rows, "only the rows whose names match this `regexp`")
	flags.TextVar(o.who, "contenders", o.who, "only the contenders whose names match this `regexp`")
	flags.StringVar(&o.json, "json", "", "write the figures of all rounds to this `file`")
	flags.StringVar(&o.svg, "svg", "", "write pictures into this `directory`")
	flags.StringVar(&o.from, "from", "", "measure nothing, but take the figures from a `file` of -json")
	flags.StringVar(&o.profile, "profile", "", "write processor profiles of both processes into this `directory`, each contender alone")
	flags.BoolVar(&o.markdown, "markdown", false, "print a page in Markdown")
	flags.BoolVar(&o.gate, "gate", false, "fail if viaduct is far below what it is known to do")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		flags.SetOutput(usage)
		flags.Usage()
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w; -help tells of all flags", err)
	case flags.NArg() > 0:
		return nil, fmt.Errorf("%q is no flag; -help tells of all flags", flags.Arg(0))
	case o.rounds < 0 || o.slice < 0:
		return nil, fmt.Errorf("-rounds and -slice are above 0")
	}
	if o.profile != "" && (o.from != "" || o.gate) {
		return nil, errors.New("-profile measures, and not for comparing: it goes with neither -from nor -gate")
	}
	if o.rounds == 0 {
		o.rounds = o.choose(15, 3)
	}
	if o.slice == 0 {
		o.slice = time.Duration(o.choose(200, 30)) * time.Millisecond
	}
	return o, nil
}

// choose returns what is meant for a full run, or for a quick one.
func (o *options) choose(full, quick int) int {
	if o.quick {
		return quick
	}
	return full
}

// children is of how many the memory is counted.
func (o *options) children() int { return o.choose(100, 10) }

// plan is what to measure.
type plan struct {
	modes      []suite.Mode
	rows       []*suite.Row
	contenders []string
	missing    []string // what this machine cannot measure
}

// plan chooses. A pattern that matches nothing is an error, which lists what there is.
func (o *options) plan() (*plan, error) {
	p := new(plan)
	p.modes, p.missing = suite.Modes(runtime.NumCPU())
	var rowNames []string
	for _, row := range suite.Rows(p.modes, o.quick, o.children()) {
		rowNames = append(rowNames, row.Name)
		if o.rows.MatchString(row.Name) && !(o.profile != "" && row.Work.NeedsPrograms()) {
			p.rows = append(p.rows, row)
		}
	}
	for _, name := range contender.Names() {
		if o.who.MatchString(name) {
			p.contenders = append(p.contenders, name)
		}
	}
	if len(p.rows) == 0 {
		return nil, none("rows", o.rows, rowNames)
	}
	if len(p.contenders) == 0 {
		return nil, none("contenders", o.who, contender.Names())
	}
	p.rows = slices.DeleteFunc(p.rows, func(r *suite.Row) bool { return !r.Work.DoneBy(p.contenders) })
	if len(p.rows) == 0 {
		return nil, errors.New("none of these contenders does the work of these rows")
	}
	return p, nil
}

func none(flag string, pattern *regexp.Regexp, names []string) error {
	return fmt.Errorf("-%s: none matches %q; there are %s", flag, pattern, strings.Join(names, ", "))
}
