package model

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// found is what a search has found.
type found struct {
	states int
	whole  bool // there are no more
	seen   happened
	fault  string // or ""
	trace  []action
}

func (f found) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after %d steps:\n", f.fault, len(f.trace))
	for _, a := range f.trace {
		fmt.Fprintf(&b, "    %v\n", a)
	}
	return b.String()
}

// explore visits the states of md breadth first, up to limit of them, until it
// finds a fault.
func explore(md *model, limit int) found {
	e := &explorer{md: md, seed: maphash.MakeSeed(), number: map[uint64]int32{}}
	s := md.start()
	e.visit(&s, -1, action{})
	var level []state
	for at := 0; len(e.next) > 0 && len(e.steps) < limit; {
		level, e.next = e.next, level[:0]
		for i := range level {
			if fault := e.expand(&level[i], at); fault != "" {
				return found{states: len(e.steps), fault: fault, trace: e.trace}
			}
			at++
		}
	}
	f := found{states: len(e.steps), whole: len(e.next) == 0, seen: e.seen}
	if f.whole && e.goRound() {
		f.fault, f.trace = "it can go on for ever", e.trace
	}
	return f
}

type explorer struct {
	md     *model
	seed   maphash.Seed
	number map[uint64]int32 // of states, by hash
	steps  []step           // how each was reached first
	next   []state          // the level behind the one that is being expanded
	edges  []int32          // where the actions of each lead, in order
	list   []action
	trace  []action // to the fault
	seen   happened
}

type step struct {
	from  int32
	act   action
	edges int32 // so many of explorer.edges belong to it and those before
}

// visit returns the number of s.
func (e *explorer) visit(s *state, from int, a action) int32 {
	h := maphash.Comparable(e.seed, *s)
	n, known := e.number[h]
	if !known {
		n = int32(len(e.steps))
		e.number[h] = n
		e.steps = append(e.steps, step{from: int32(from), act: a})
		e.next = append(e.next, *s)
	}
	return n
}

// expand visits all that follows s, state number at.
func (e *explorer) expand(s *state, at int) (fault string) {
	if fault := e.md.invariant(s); fault != "" {
		e.path(at)
		return fault
	}
	e.list = e.md.actions(s, e.list[:0])
	if len(e.list) == 0 {
		if fault := e.md.unfinished(s); fault != "" {
			e.path(at)
			return fault
		}
	}
	for _, a := range e.list {
		e.seen.note(a)
		t := *s
		if fault := e.md.do(&t, a); fault != "" {
			e.path(at)
			e.trace = append(e.trace, a)
			return fault
		}
		e.edges = append(e.edges, e.visit(&t, at, a))
	}
	e.steps[at].edges = int32(len(e.edges))
	return ""
}

// path sets trace to how state number at was reached.
func (e *explorer) path(at int) {
	if at == 0 {
		return
	}
	e.path(int(e.steps[at].from))
	e.trace = append(e.trace, e.steps[at].act)
}
