package debugpage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// of returns what s has of one name, all if it is "": the peer that is called so, or the Supervisor, or
// the Pool; of a Supervisor its children, of a Pool its Supervisors with theirs; and how those have
// ended. If there is nothing of that name it returns false.
func (s *Snapshot) of(name string) (*Snapshot, bool) {
	if name == "" {
		return s, true
	}
	one := *s
	named := map[string]bool{name: true} // the Supervisors
	one.Supervisors = []Supervisor{}
	for _, x := range s.Supervisors {
		if x.Supervisor == name || x.Pool == name {
			one.Supervisors = append(one.Supervisors, x)
			named[x.Supervisor] = true
		}
	}
	one.Peers = []Peer{}
	for _, p := range s.Peers {
		if p.Peer == name || named[p.Supervisor] {
			one.Peers = append(one.Peers, p)
		}
	}
	one.Pools = keep(s.Pools, func(p Pool) bool { return p.Pool == name })
	one.Exits = keep(s.Exits, func(e Exit) bool { return named[e.Peer] })
	return &one, len(one.Peers)+len(one.Supervisors)+len(one.Pools)+len(one.Exits) > 0
}

// keep returns those of list that are wanted, in a slice of its own that is not nil.
func keep[T any](list []T, wanted func(T) bool) []T {
	kept := []T{}
	for _, x := range list {
		if wanted(x) {
			kept = append(kept, x)
		}
	}
	return kept
}

const mostNames = 20

// Names tells what there is to be asked for by its name, in words.
func (s *Snapshot) Names() string {
	there := make(map[string]bool)
	for _, p := range s.Peers {
		there[p.Peer] = true
	}
	for _, x := range s.Supervisors {
		there[x.Supervisor] = true
	}
	for _, p := range s.Pools {
		there[p.Pool] = true
	}
	if len(there) == 0 {
		return "there is none now"
	}
	names := slices.Sorted(maps.Keys(there))
	n := min(len(names), mostNames)
	text := "there are now"
	for i, name := range names[:n] {
		text += strings.Repeat(",", min(i, 1)) + fmt.Sprintf(" %.80q", name)
	}
	if n < len(names) {
		text += fmt.Sprintf(" and %d more", len(names)-n)
	}
	return text
}
