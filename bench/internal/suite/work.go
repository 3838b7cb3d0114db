package suite

import (
	"slices"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// A method is how a work is measured.
type method int

const (
	inTurns method = iota // all contenders are alive, and have some time each in every round
	starts                // in turns too; each piece of work has a child of its own
	memory                // one contender after another, with many children
	sizes                 // by the go command
)

// Work is a piece of work, and what is shown of it.
type Work struct {
	Name    string
	title   string
	modes   []string
	quick   []string // those of the modes that a quick run has, too
	method  method
	opts    work.Options
	do      do  // of inTurns
	slices  int // how many slices of time it takes, 0 for one
	rows    []row
	without map[string]string // the contenders that cannot do it, and why
	note    string            // what else there is to know of how they do it
}

func (w *Work) in(m Mode, quick bool) bool {
	modes := w.modes
	if quick {
		modes = w.quick
	}
	return slices.Contains(modes, m.Name) || m.Name == notTied && slices.Contains(modes, twoCores)
}

// contenders returns those of the names that can do the work, in their order.
func (w *Work) contenders(names []string) []*contender.Contender {
	var list []*contender.Contender
	for _, c := range contender.All {
		if slices.Contains(names, c.Name) && w.without[c.Name] == "" {
			list = append(list, c)
		}
	}
	return list
}

// DoneBy says whether any of these contenders does the work.
func (w *Work) DoneBy(names []string) bool { return len(w.contenders(names)) > 0 }

// countsCPU says whether a row needs the processor time.
func (w *Work) countsCPU() bool {
	return slices.ContainsFunc(w.rows, func(r row) bool { return r.plot == "cpu" })
}

// Without returns the contenders that do not do the work, and why.
func (w *Work) Without() map[string]string { return w.without }

// Note returns what else there is to know of how the contenders do the work.
func (w *Work) Note() string { return w.note }

// NeedsPrograms says whether the work is about the minimal programs.
func (w *Work) NeedsPrograms() bool { return w.method != inTurns }

// NeedsFresh says whether each contender is to be measured in a process that has done nothing else.
func (w *Work) NeedsFresh() bool { return w.method == memory }
