package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is what -json writes.
type result struct {
	Date, Go, OS, Arch string
	CPUs               int
	Seed               uint64
	Campaigns          []row
}

// row is what a campaign has come to.
type row struct {
	Name, What string
	Trials     int
	Seconds    float64
	Findings   map[string]int      // how many of each kind: all are to be 0
	Shown      map[string][]string `json:",omitempty"` // the first of them
	Figures    map[string]int
	Notes      map[string]string `json:",omitempty"`
	Tables     []*table          `json:",omitempty"`
	Each       []detail          `json:",omitempty"` // of the trials of lies
}

// table is what a campaign has measured.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
}

func newResult(seed uint64) *result {
	return &result{
		Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(), Seed: seed,
	}
}

func (t *trials) row(took time.Duration) row {
	findings := make(map[string]int)
	for _, kind := range kinds {
		findings[kind] = t.counts[kind]
	}
	return row{t.name, t.what, t.done, took.Seconds(), findings, t.findings, t.figures, t.notes, t.tables, t.each}
}

// bad is how many findings there are.
func (r row) bad() (n int) {
	for _, of := range r.Findings {
		n += of
	}
	return n
}

func (r *result) bad() (n int) {
	for _, c := range r.Campaigns {
		n += c.bad()
	}
	return n
}

// String is what is printed of a campaign.
func (r row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d trials in %.1f s, %d findings; %s\n", r.Name, r.Trials, r.Seconds, r.bad(), r.figures())
	for _, kind := range slices.Sorted(maps.Keys(r.Shown)) {
		fmt.Fprintf(&b, "  %s: %d\n", kind, r.Findings[kind])
		for _, text := range r.Shown[kind] {
			fmt.Fprintf(&b, "    %s\n", text)
		}
	}
	return b.String()
}

// figures is what has happened, in one line.
func (r row) figures() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		list = append(list, fmt.Sprintf("%s %s", group(r.Figures[name]), name))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Notes)) {
		list = append(list, fmt.Sprintf("%s %s", name, r.Notes[name]))
	}
	return strings.Join(list, ", ")
}

// group writes n with a comma for each thousand.
func group(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// write writes what was asked for.
func (r *result) write(jsonFile, markdown string) error {
	if jsonFile != "" {
		b, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(jsonFile, append(b, '\n'), 0o666); err != nil {
			return err
		}
	}
	if markdown != "" {
		return os.WriteFile(markdown, []byte(r.markdown()), 0o666)
	}
	return nil
}

// markdown is the table of docs/reliability.md.
func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Run on %s, on %s/%s with %d processors, %s, seed %d.\n\n", r.Date, r.OS, r.Arch, r.CPUs, r.Go, r.Seed)
	b.WriteString("| campaign | what is done | trials | " + strings.Join(kinds, " | ") + " | what happened |\n")
	b.WriteString("|---|---|--:|" + strings.Repeat("--:|", len(kinds)) + "---|\n")
	for _, c := range r.Campaigns {
		fmt.Fprintf(&b, "| %s | %s | %s |", c.Name, c.What, group(c.Trials))
		for _, kind := range kinds {
			fmt.Fprintf(&b, " %d |", c.Findings[kind])
		}
		fmt.Fprintf(&b, " %s |\n", c.figures())
	}
	for _, c := range r.Campaigns {
		for _, t := range c.Tables {
			fmt.Fprintf(&b, "\n### %s\n\n%s", t.Title, t.markdown())
		}
	}
	return b.String()
}

func (t *table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	b.WriteString("|" + strings.Repeat("---|", len(t.Head)) + "\n")
	for _, cells := range t.Rows {
		line(cells)
	}
	return b.String()
}
