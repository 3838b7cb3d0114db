package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A test is one of a package, or one within another. Without a name it is the package as such, which
// fails if it cannot be built, or exits.
type test struct{ pkg, name string }

func (t test) String() string {
	if t.name == "" {
		return t.pkg
	}
	return t.name
}

// within says whether it is a test within another.
func (t test) within() bool { return strings.Contains(t.name, "/") }

// outer returns the name of the test that one of this name is within, if it is within one.
func outer(name string) (string, bool) {
	i := strings.LastIndex(name, "/")
	return name[:max(i, 0)], i >= 0
}

// An outcome is what has become of a test.
type outcome string

const (
	absent  outcome = "absent" // it has not begun
	passed  outcome = "passed"
	failed  outcome = "failed"      // or has not ended
	raced   outcome = "lost a race" // failed with a text of move.races
	skipped outcome = "skipped"
)

// results are those of a run: of each test how it went, as often as it was run. A test that is not in
// it is absent.
type results map[test][]outcome

// of returns how a test went that was run once.
func (r results) of(t test) outcome {
	if o, ok := r[t]; ok {
		return o[len(o)-1]
	}
	return absent
}

// times says how often a test went so.
func (r results) times(t test, o outcome) (n int) {
	for _, other := range r[t] {
		if other == o {
			n++
		}
	}
	return n
}

// read reads what go test -json prints. A test that fails and has said one of races has lost a race, and
// so has one that fails with such a test in it.
func read(from io.Reader, races []string) (results, error) {
	r := make(results)
	told := make(map[test]bool)
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Package, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("go test -json has printed %q: %w", lines.Text(), err)
		}
		t := test{event.Package, event.Test}
		switch event.Action {
		case "run":
			r[t] = append(r[t], failed) // until it is said to have ended
			delete(told, t)
		case "output":
			if t.name == "" || !slices.ContainsFunc(races, func(race string) bool { return strings.Contains(event.Output, race) }) {
				break
			}
			for name, within := t.name, true; within; name, within = outer(name) {
				told[test{t.pkg, name}] = true
			}
		case "pass", "fail", "skip":
			o := map[string]outcome{"pass": passed, "fail": failed, "skip": skipped}[event.Action]
			if o == failed && told[t] {
				o = raced
			}
			if t.name == "" { // it does not run
				r[t] = []outcome{o}
			} else {
				r[t][len(r[t])-1] = o
			}
		}
	}
	return r, lines.Err()
}

// counts tells of the tests themselves, not of those within them, and of packages only where they
// fail with no test that does.
func (r results) counts() string {
	n := make(map[outcome]int)
	failing := make(map[string]bool)
	within := 0
	for t := range r {
		o := r.of(t)
		switch {
		case t.name == "":
		case t.within():
			within++
		default:
			n[o]++
			failing[t.pkg] = failing[t.pkg] || o == failed || o == raced
		}
	}
	text := fmt.Sprintf("%d passed, %d failed, %d skipped (and %d within them)", n[passed], n[failed]+n[raced], n[skipped], within)
	for t := range r {
		if t.name == "" && r.of(t) == failed && !failing[t.pkg] {
			text += ", package " + t.pkg + " failed"
		}
	}
	return text
}
