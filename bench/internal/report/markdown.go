package report

import (
	"fmt"
	"io"
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
	p.printf("Measured on %s, on %s.\n", r.Date.Format("2006-01-02"), r.Machine)
	p.printf("Anybody can do so with `go run -C bench .`, which `go doc -C bench` explains.\n\n")
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
		p.printf("| %s", emphasized(name))
		for _, row := range rows {
			p.printf(" | %s", cell(row.Figure(name)))
		}
		p.printf(" |\n")
	}
	p.printf("\n↑ the higher the better, ↓ the lower the better.\n")
}

// emphasized shows which contenders are ours.
func emphasized(name string) string {
	if strings.HasPrefix(name, "viaduct") {
		return "**" + name + "**"
	}
	return name
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
	for _, row := range rows {
		if row.Note != "" && !said[row.Note] {
			said[row.Note] = true
			p.printf("\n%s\n", row.Note)
		}
	}
	for _, name := range contender.Names() {
		var reasons []string // of this contender, each once
		titles := map[string][]string{}
		for _, row := range rows {
			why := row.Without[name]
			if why == "" {
				continue
			}
			if titles[why] == nil {
				reasons = append(reasons, why)
			}
			titles[why] = append(titles[why], row.Title)
		}
		for _, why := range reasons {
			where := "here"
			if len(titles[why]) < len(rows) {
				where = "in " + strings.Join(titles[why], "; ")
			}
			p.printf("\nNot %s: %s %s.\n", where, name, why)
		}
	}
}
