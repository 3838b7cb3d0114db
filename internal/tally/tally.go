// Package tally counts calls by their methods: how many have ended, how many failed, how long they
// took, and how many ended in each of the last seconds.
//
// It assumes nothing of the names, which may come from the other side: it keeps a bounded number of
// them, and of each its beginning. It promises that to count takes no lock that is held for long,
// and no memory but for a name that is new.
package tally

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/histogram"
)

const (
	maxNames = 256 // that a Table tells apart; the others count together
	maxName  = 128 // bytes of a name that are kept
	seconds  = 64  // that a method keeps the counts of; a power of two

	// Recent is how many of the last whole seconds a Stats has, the present one left out.
	Recent = 60

	// Others is what the methods are called that are more than a Table tells apart, and Unknown those
	// that there are not.
	Others, Unknown = "(others)", "(unknown)"
)

// All has every Table of the process count, besides those that do so anyway.
var All atomic.Bool

// epoch makes moments out of durations, which are cheaper to measure than times.
var epoch = time.Now()

// Now is the present moment, behind a fixed one.
func Now() time.Duration { return time.Since(epoch) }

// A Table counts calls by their methods. Its methods may be called at the same time.
type Table struct {
	always bool

	// methods is not changed but replaced, with mu held.
	methods atomic.Pointer[map[string]*method]
	mu      sync.Mutex
}

// Init is called before anything else. With always the Table counts even without All.
func (t *Table) Init(always bool) { t.always = always }

// On reports whether the Table counts.
func (t *Table) On() bool { return t.always || All.Load() }

// method has the counts of one.
type method struct {
	failed, notifications atomic.Uint64
	total                 atomic.Int64 // nanoseconds
	took                  histogram.Histogram
	recent                [seconds]atomic.Uint64 // the second, and how many ended in it: see addRecent
}

// Ended counts a call of the method that has taken so long until now, or a notification that was
// handled.
func (t *Table) Ended(name string, took, now time.Duration, failed, isNotification bool) {
	m := t.of(name)
	if failed {
		m.failed.Add(1)
	}
	if isNotification {
		m.notifications.Add(1)
	}
	m.total.Add(int64(max(took, 0)))
	m.took.Add(took)
	m.addRecent(uint32(now / time.Second))
}

// Notified counts a notification that was sent: how long it takes is not known here.
func (t *Table) Notified(name string) {
	m := t.of(name)
	m.notifications.Add(1)
	m.addRecent(uint32(Now() / time.Second))
}

// of returns the counts of a method, those of Others if the Table is full.
func (t *Table) of(name string) *method {
	if len(name) > maxName {
		name = name[:maxName]
	}
	methods := t.methods.Load()
	if methods != nil {
		if m := (*methods)[name]; m != nil {
			return m
		}
		if len(*methods) > maxNames {
			return (*methods)[Others]
		}
	}
	return t.enter(name)
}

// enter is of for a name that is new.
func (t *Table) enter(name string) *method {
	t.mu.Lock()
	defer t.mu.Unlock()
	methods := map[string]*method{}
	if old := t.methods.Load(); old != nil {
		if m := (*old)[name]; m != nil {
			return m
		}
		maps.Copy(methods, *old)
	}
	if len(methods) >= maxNames {
		name = Others
	}
	m := methods[name]
	if m == nil {
		m = new(method)
		methods[name] = m
		t.methods.Store(&methods)
	}
	return m
}

// addRecent counts one in a second. The count of an earlier one in its place is forgotten.
func (m *method) addRecent(second uint32) {
	slot := &m.recent[second%seconds]
	for {
		old := slot.Load()
		next := old + 1
		if uint32(old>>32) != second {
			next = uint64(second)<<32 | 1
		}
		if slot.CompareAndSwap(old, next) {
			return
		}
	}
}

// Stats are those of one method.
type Stats struct {
	Method        string
	Ended         uint64 // calls, and notifications that were handled
	Failed        uint64 // of them
	Notifications uint64 // handled or sent
	Total         time.Duration
	P50, P90, P99 time.Duration
	Max           time.Duration
	Histogram     []uint64 // how many took from 2^i to 2^(i+1) ns
	Recent        []uint32 // how many ended, or were sent, in each of the last seconds, the latest last
}

// Stats returns the numbers of each method, by names.
func (t *Table) Stats() (list []Stats) {
	methods := t.methods.Load()
	if methods == nil {
		return nil
	}
	now := uint32(Now() / time.Second)
	for name, m := range *methods {
		count, q := m.took.Quantiles(0.5, 0.9, 0.99)
		s := Stats{
			Method: name, Ended: count, Failed: m.failed.Load(), Notifications: m.notifications.Load(),
			Total: time.Duration(m.total.Load()), P50: q[0], P90: q[1], P99: q[2], Max: m.took.Max(),
			Histogram: m.took.Octaves(), Recent: make([]uint32, Recent),
		}
		for i := range s.Recent {
			second := now - Recent + uint32(i)
			if v := m.recent[second%seconds].Load(); v != 0 && uint32(v>>32) == second {
				s.Recent[i] = uint32(v)
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Stats) int { return cmp.Compare(a.Method, b.Method) })
	return list
}
