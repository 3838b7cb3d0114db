package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/stats"
)

// better says which figures are.
func (r *Row) better() string {
	if r.Lower {
		return "the lower the better"
	}
	return "the higher the better"
}

// Text writes the report for a terminal: a block for each row.
func (r *Report) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s\n", r.Date.Format("2006-01-02"), r.Machine)
	for _, row := range r.Rows {
		fmt.Fprintf(w, "\n%s: %s, %s, %s\n", row.Name, row.Title, row.Unit, row.better())
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(table, "\tmedian\tquartiles\tto %s\tquartiles\t\n", row.Base)
		for _, f := range row.Figures {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", f.Contender, Number(f.Value.Median), f.quartiles(f.Value, Number),
				f.ratio(), f.ratioQuartiles())
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(w, "\n%s\n", m)
	}
	return nil
}

// quartiles writes those of a spread. A single round has none.
func (f *Figure) quartiles(s stats.Spread, number func(float64) string) string {
	if len(f.Rounds) == 1 {
		return ""
	}
	return number(s.Q1) + "-" + number(s.Q3)
}

func (f *Figure) ratio() string {
	if f.Ratio == nil {
		return ""
	}
	return times(f.Ratio.Median)
}

func (f *Figure) ratioQuartiles() string {
	if f.Ratio == nil {
		return ""
	}
	return f.quartiles(*f.Ratio, times)
}

func times(ratio float64) string { return strconv.FormatFloat(ratio, 'f', 2, 64) }

// Line is a row in one line: what is told while others are still measured.
func Line(row string, figures map[string][]float64) string {
	var list []string
	for _, name := range contender.Names() {
		if len(figures[name]) > 0 {
			list = append(list, name+" "+Number(stats.Of(figures[name]).Median))
		}
	}
	return row + ": " + strings.Join(list, ", ")
}
