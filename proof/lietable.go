package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// lieTable is what the lies have cost.
type lieTable struct {
	alone  []time.Duration // how long the honest child's callers wait while nobody lies
	groups []*lieGroup     // in the order of the trials
}

// lieGroup is what those of one group have cost.
type lieGroup struct {
	name      string
	trials    int
	outcomes  map[outcome]int
	heap, rss int64
	cpu       time.Duration
	costliest string
	waits     []time.Duration
	each      []detail
}

// detail is one lie, for JSON.
type detail struct {
	Group, Name, Outcome, Error        string
	HeapKiB, RSSKiB                    int64
	CPUms, Tookms                      float64
	BystanderP50us, BystanderP99us     int64
	BystanderCalls, BystanderLongestus int64
}

func (t *lieTable) add(o ordeal, s *Suffered) {
	i := slices.IndexFunc(t.groups, func(g *lieGroup) bool { return g.name == o.group })
	if i < 0 {
		i = len(t.groups)
		t.groups = append(t.groups, &lieGroup{name: o.group, outcomes: make(map[outcome]int)})
	}
	g := t.groups[i]
	g.trials++
	g.outcomes[s.Outcome]++
	g.rss, g.cpu = max(g.rss, s.RSS), max(g.cpu, s.CPU)
	if s.Heap > g.heap {
		g.heap, g.costliest = s.Heap, o.name
	}
	g.waits = append(g.waits, s.Waits...)
	g.each = append(g.each, detail{
		o.group, o.name, s.Outcome.String(), s.Error, s.Heap >> 10, s.RSS >> 10, millis(s.CPU), millis(s.Took),
		quantile(s.Waits, 0.5).Microseconds(), quantile(s.Waits, 0.99).Microseconds(),
		int64(len(s.Waits)), quantile(s.Waits, 1).Microseconds(),
	})
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// summary hands the numbers to t.
func (t *lieTable) summary(to *trials) {
	var all []time.Duration
	var heap, rss int64
	var cpu time.Duration
	table := &table{
		Title: "What the lies have cost",
		Head:  []string{"lies about", "of them", "what became of the link", "heap, MiB", "resident, MiB", "computing, ms", "bystanders p50, µs", "p99, µs", "longest, ms"},
	}
	row := func(name, n, outcomes, heap, rss, cpu string, waits []time.Duration) {
		table.Rows = append(table.Rows, []string{
			name, n, outcomes, heap, rss, cpu,
			fmt.Sprint(quantile(waits, 0.5).Microseconds()), fmt.Sprint(quantile(waits, 0.99).Microseconds()), fmt.Sprintf("%.1f", millis(quantile(waits, 1))),
		})
	}
	row("nothing", "", "", "", "", "", t.alone)
	for _, g := range t.groups {
		var list []string
		for _, o := range slices.Sorted(maps.Keys(g.outcomes)) {
			list = append(list, fmt.Sprintf("%d %v", g.outcomes[o], o))
		}
		row(g.name, fmt.Sprint(g.trials), strings.Join(list, ", "), fmt.Sprintf("%.1f", float64(g.heap)/(1<<20)), fmt.Sprintf("%.1f", float64(g.rss)/(1<<20)), fmt.Sprintf("%.0f", millis(g.cpu)), g.waits)
		all = append(all, g.waits...)
		heap, rss, cpu = max(heap, g.heap), max(rss, g.rss), max(cpu, g.cpu)
		to.each = append(to.each, g.each...)
	}
	to.tables = append(to.tables, table)
	to.notes["at most, of one lie:"] = fmt.Sprintf("%.1f MiB of heap, %.1f MiB resident, %.0f ms of computing", float64(heap)/(1<<20), float64(rss)/(1<<20), millis(cpu))
	to.notes["bystanders' p50 and p99"] = fmt.Sprintf("%d and %d µs (%d and %d alone)", quantile(all, 0.5).Microseconds(), quantile(all, 0.99).Microseconds(),
		quantile(t.alone, 0.5).Microseconds(), quantile(t.alone, 0.99).Microseconds())
}
