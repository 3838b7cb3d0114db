// Package suite is what is compared, and how it is measured. A Spec runs in a process of its own,
// which was started on the processors of its mode, so that all children run on them as well.
package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
)

// Spec says what to measure in one mode.
type Spec struct {
	Mode       Mode
	Quick      bool
	Rows       []string // their names
	Contenders []string
	Rounds     int
	Slice      time.Duration // of time, for each contender in each round
	Children   int           // whose memory is counted
	Programs   string        // the directory of the minimal programs
	Profile    string        // the beginning of the names of profiles, if there are to be any
}

// Event tells how far a Spec is.
type Event struct {
	Step    string               `json:",omitempty"` // what has just been measured
	Row     string               `json:",omitempty"` // all of which has been measured
	Figures map[string][]float64 `json:",omitempty"` // of the row: of each contender, one of each round
	Err     string               `json:",omitempty"` // what has gone wrong; nothing follows
	Done    bool                 `json:",omitempty"` // nothing follows
}

// limit is how long a step may take. A contender that hangs is named, and does not hold up the
// comparison for ever.
const limit = 2 * time.Minute

// runner measures the works of a Spec.
type runner struct {
	*Spec
	self   string // the program that plays all children, but for minimal ones
	tell   func(Event)
	cancel context.CancelCauseFunc // kills the children of the work that is measured
}

// works returns those that the rows need, in their order.
func works(rows []*Row) []*Work {
	var list []*Work
	for _, r := range rows {
		if !slices.Contains(list, r.Work) {
			list = append(list, r.Work)
		}
	}
	return list
}

func (s *Spec) rows() []*Row {
	var list []*Row
	for _, r := range Rows([]Mode{s.Mode}, s.Quick, s.Children) {
		if slices.Contains(s.Rows, r.Name) {
			list = append(list, r)
		}
	}
	return list
}

// Works returns the names of the rows of each work.
func (s *Spec) Works() map[string][]string {
	list := map[string][]string{}
	for _, r := range s.rows() {
		list[r.Work.Name] = append(list[r.Work.Name], r.Name)
	}
	return list
}

// Steps returns how many events with a Step there will be.
func (s *Spec) Steps() int {
	n := 0
	for _, w := range works(s.rows()) {
		steps := len(w.contenders(s.Contenders))
		if w.method == inTurns || w.method == starts {
			steps *= s.Rounds
		}
		n += steps
	}
	return n
}

// Run measures, and tells. The context ends it, and all children.
func (s *Spec) Run(ctx context.Context, tell func(Event)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r := &runner{Spec: s, self: self, tell: tell}
	rows := s.rows()
	for _, w := range works(rows) {
		samples, err := r.measure(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		for _, row := range rows {
			if row.Work != w {
				continue
			}
			figures := map[string][]float64{}
			for name, list := range samples {
				for _, sample := range list {
					figures[name] = append(figures[name], row.figure(sample))
				}
			}
			tell(Event{Row: row.Name, Figures: figures})
		}
	}
	return nil
}

// measure returns the samples of each contender, one of each round.
func (r *runner) measure(ctx context.Context, w *Work) (map[string][]Sample, error) {
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	list := w.contenders(r.Contenders)
	switch w.method {
	case starts:
		return r.inTurns(ctx, w, list, r.start)
	case memory:
		return r.oneByOne(ctx, w, list, r.memory)
	case sizes:
		return r.oneByOne(ctx, w, list, r.size)
	}
	return r.alive(ctx, w, list)
}

// A measurement is one step of one contender.
type measurement func(context.Context, *contender.Contender) (Sample, error)

// inTurns measures all contenders in each round, beginning with another one each time.
func (r *runner) inTurns(ctx context.Context, w *Work, list []*contender.Contender, m measurement) (map[string][]Sample, error) {
	samples := map[string][]Sample{}
	for round := range r.Rounds {
		for i := range list {
			c := list[(i+round)%len(list)]
			s, err := r.step(ctx, w, c, m)
			if err != nil {
				return nil, err
			}
			samples[c.Name] = append(samples[c.Name], s)
		}
	}
	return samples, nil
}

// oneByOne measures each contender once.
func (r *runner) oneByOne(ctx context.Context, w *Work, list []*contender.Contender, m measurement) (map[string][]Sample, error) {
	samples := map[string][]Sample{}
	for _, c := range list {
		s, err := r.step(ctx, w, c, m)
		if err != nil {
			return nil, err
		}
		samples[c.Name] = []Sample{s}
	}
	return samples, nil
}

// step does one measurement within the limit, and tells.
func (r *runner) step(ctx context.Context, w *Work, c *contender.Contender, m measurement) (Sample, error) {
	s, err := r.guarded(ctx, c, m)
	if err == nil {
		r.tell(Event{Step: w.Name + "." + r.Mode.Name})
	}
	return s, err
}

// guarded does one measurement. If it takes too long the children are killed, so that calls that
// wait for one of them fail.
func (r *runner) guarded(ctx context.Context, c *contender.Contender, m measurement) (Sample, error) {
	defer watch(func() { r.cancel(fmt.Errorf("no end after %v", limit)) })()
	s, err := m(ctx, c)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // and not what came of the children's end
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", c.Name, err)
	}
	return s, nil
}

// watch calls hangs once the limit is over, unless it was stopped before by what it returns. It
// counts seconds one by one, so that the time in which this process was stopped, as by Ctrl-Z, is
// not counted.
func watch(hangs func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for range limit / time.Second {
			select {
			case <-second.C:
			case <-done:
				return
			}
		}
		hangs()
	}()
	return func() { close(done) }
}

// program returns a contender's minimal program.
func (r *runner) program(c *contender.Contender) string { return r.minimal(c.Program) }

// minimal returns the minimal program of that name.
func (r *runner) minimal(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(r.Programs, name)
}
