package report

import (
	"fmt"
	"io"
	"text/tabwriter"
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
			fmt.Fprintf(table, "%s\t%s\t%s\t", f.Contender, Number(f.Value.Median), between(f.Value.Q1, f.Value.Q3))
			if f.Ratio != nil {
				fmt.Fprintf(table, "%.2f\t%.2f-%.2f", f.Ratio.Median, f.Ratio.Q1, f.Ratio.Q3)
			} else {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, "\t\n")
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

func between(a, b float64) string { return Number(a) + "-" + Number(b) }

// Line is a row in one line: what is told while others are still measured.
func (r *Row) Line() string {
	text := r.Name + " (" + r.Unit + "):"
	for i, f := range r.Figures {
		if i > 0 {
			text += ","
		}
		text += " " + f.Contender + " " + Number(f.Value.Median)
	}
	return text
}
