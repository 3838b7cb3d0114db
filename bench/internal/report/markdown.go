package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// Markdown writes the report as a page, which shows the pictures that lie in a directory beside it.
func (r *Report) Markdown(w io.Writer, pictures string) error {
	p := &page{w: w}
	p.intro(r)
	for _, plot := range suite.Plots {
		rows := r.In(plot.Name)
		if len(rows) == 0 {
			continue
		}
		p.printf("\n## %s\n\n![%s](%s/%s.svg)\n\n", plot.Title, plot.Title, pictures, plot.Name)
		p.table(rows)
		p.notes(rows)
	}
	if len(r.Missing) > 0 {
		p.printf("\n## What is not here\n")
		for _, m := range r.Missing {
			p.printf("\n%s\n", m)
		}
	}
	return p.err
}

// page keeps the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *page) intro(r *Report) {
	p.printf("# Performance\n\n")
	p.printf("Measured on %s, on %s. The command is `go run -C bench .`, and works for anybody.\n\n", r.Date.Format("2006-01-02"), r.Machine)
	if r.Quick {
		p.printf("This was a quick run (`-quick`), whose figures are rough.\n\n")
	}
	p.printf("Each contender has a child of its own. In each of %d rounds each of them works for %s, in turns.\n", r.Rounds, r.Slice)
	p.printf("A cell has the median of the rounds and, behind a ×, the ratio to the base, which is the one\n")
	p.printf("without a ratio: the median of the ratios of single rounds, and in parentheses the middle half of\n")
	p.printf("them. On a shared machine the ratios say more than the figures.\n\n")
	p.printf("| contender | what it is |\n|---|---|\n")
	for _, c := range contender.All {
		p.printf("| %s | %s |\n", c.Name, about(c, r.Versions))
	}
}

func about(c *contender.Contender, versions map[string]string) string {
	if v := versions[c.Module]; v != "" {
		return fmt.Sprintf("%s (%s %s)", c.About, c.Module, v)
	}
	return c.About
}

// table has a line for each contender and a column for each row.
func (p *page) table(rows []*Row) {
	p.printf("|")
	for _, row := range rows {
		arrow := "↑"
		if row.Lower {
			arrow = "↓"
		}
		p.printf(" | %s, %s %s", row.Title, row.Unit, arrow)
	}
	p.printf(" |\n|---|%s\n", strings.Repeat("--:|", len(rows)))
	for _, name := range contender.Names() {
		if !slices.ContainsFunc(rows, func(r *Row) bool { return r.Figure(name) != nil }) {
			continue
		}
		p.printf("| %s", name)
		for _, row := range rows {
			p.printf(" | %s", cell(row.Figure(name)))
		}
		p.printf(" |\n")
	}
	p.printf("\n↑ the higher the better, ↓ the lower the better.\n")
}

func cell(f *Figure) string {
	if f == nil {
		return ""
	}
	text := Number(f.Value.Median)
	if f.Ratio != nil {
		text += " ×" + f.ratio()
		if q := f.ratioQuartiles(); q != "" {
			text += " (" + q + ")"
		}
	}
	return text
}

// notes says what there is to know of the rows, and who is not in the table, and why.
func (p *page) notes(rows []*Row) {
	said := map[string]bool{}
	say := func(text string) {
		if text != "" && !said[text] {
			said[text] = true
			p.printf("\n%s\n", text)
		}
	}
	for _, row := range rows {
		say(row.Note)
	}
	for _, row := range rows {
		for _, name := range slices.Sorted(maps.Keys(row.Without)) {
			if everywhere(rows, name) {
				say(fmt.Sprintf("Not here: %s %s.", name, row.Without[name]))
			} else {
				say(fmt.Sprintf("Not in %s: %s %s.", row.Title, name, row.Without[name]))
			}
		}
	}
}

// everywhere says whether the contender is in none of the rows, for the same reason.
func everywhere(rows []*Row, name string) bool {
	return !slices.ContainsFunc(rows, func(r *Row) bool { return r.Without[name] != rows[0].Without[name] })
}
