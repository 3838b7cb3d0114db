package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A side is a program as it was, or as it is changed, and how its tests have gone.
type side struct {
	move move
	name string // "before" or "after"
	dir  string

	runs  []results
	alone map[test]alone
}

// alone is how a test has gone that ran alone.
type alone struct{ runs, passed, failed, raced int }

func (a alone) String() string {
	return fmt.Sprintf("of %d times it passed %d, failed %d, lost a race %d", a.runs, a.passed, a.failed, a.raced)
}

func (s *side) setAlone(t test, a alone) {
	if s.alone == nil {
		s.alone = make(map[test]alone)
	}
	s.alone[t] = a
}

// outcomes are those of a test, run by run.
func (s *side) outcomes(t test) (list []outcome) {
	for _, r := range s.runs {
		list = append(list, r.of(t))
	}
	return list
}

// has says whether a test has gone so in any run.
func (s *side) has(t test, o outcome) bool {
	a := s.alone[t]
	switch {
	case slices.Contains(s.outcomes(t), o):
		return true
	case o == passed:
		return a.passed > 0
	case o == failed:
		return a.failed > 0
	case o == raced:
		return a.raced > 0
	}
	return false
}

// tell says how a test has gone, in words.
func (s *side) tell(t test) string {
	var text []string
	for _, o := range s.outcomes(t) {
		text = append(text, string(o))
	}
	line := s.name + ": " + strings.Join(text, ", ")
	if a := s.alone[t]; a.runs > 0 {
		line += "; alone, " + a.String()
	}
	return line
}

// A comparison is a move, and how the tests went before and after.
type comparison struct {
	move          move
	change        string
	before, after *side
}

// all are the tests of both sides, in order.
func (c *comparison) all() []test {
	seen := make(map[test]bool)
	for _, s := range []*side{c.before, c.after} {
		for _, r := range s.runs {
			for t := range r {
				seen[t] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b test) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
	})
}

// failed are those that have failed on either side, in any run. A package that fails with one of its
// tests is not among them.
func (c *comparison) failed() (list []test) {
	for _, t := range c.all() {
		for _, s := range []*side{c.before, c.after} {
			if s.has(t, failed) || s.has(t, raced) {
				list = append(list, t)
				break
			}
		}
	}
	return slices.DeleteFunc(list, func(t test) bool {
		return t.name == "" && slices.ContainsFunc(list, func(other test) bool {
			return other.pkg == t.pkg && other.name != ""
		})
	})
}

// broken are the tests that the move has broken.
func (c *comparison) broken() []test {
	fell := c.failed()
	return slices.DeleteFunc(c.all(), func(t test) bool {
		return t.name == "" && !slices.Contains(fell, t) || !c.isBroken(t)
	})
}

// isBroken says so of a test that has never failed before and has failed after; or that loses the race
// each time after, and passed before; or that passed before and now, in some run, does not run.
func (c *comparison) isBroken(t test) bool {
	switch before := c.before.outcomes(t); {
	case c.before.has(t, failed):
		return false
	case c.after.has(t, failed):
		return true
	case c.after.has(t, raced):
		return c.before.has(t, passed) && !c.after.has(t, passed)
	default:
		return slices.Contains(before, passed) && !slices.ContainsFunc(before, isNotRun) &&
			slices.ContainsFunc(c.after.outcomes(t), isNotRun)
	}
}

func isNotRun(o outcome) bool { return o == absent || o == skipped }

// print reports.
func (c *comparison) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s: %s@%s, %s; %s\n", c.move.name, c.move.module, c.move.version, c.move.what, c.change)
	for _, s := range []*side{c.before, c.after} {
		for n, r := range s.runs {
			fmt.Fprintf(out, "  %-6s run %d: %s\n", s.name, n+1, r.counts())
		}
	}
	broken := c.broken()
	for _, t := range c.all() {
		o := append(c.before.outcomes(t), c.after.outcomes(t)...)
		if len(slices.Compact(slices.Clone(o))) == 1 && o[0] != failed || t.name == "" && !slices.Contains(c.failed(), t) {
			continue
		}
		verdict := "differs"
		switch {
		case slices.Contains(broken, t):
			verdict = "BROKEN"
		case c.before.has(t, failed):
			verdict = "fails before, too"
		case c.before.has(t, raced) || c.after.has(t, raced):
			verdict = "a race of the program's own"
		}
		fmt.Fprintf(out, "  %s: %s\n    %s\n    %s\n", t, verdict, c.before.tell(t), c.after.tell(t))
	}
	fmt.Fprintf(out, "  broken: %d\n\n", len(broken))
}
