// Package report is what came of a comparison, and shows it as text.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/stats"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// Report is a comparison.
type Report struct {
	Date     time.Time         `json:"date"`
	Machine  Machine           `json:"machine"`
	Rounds   int               `json:"rounds"`
	Slice    string            `json:"slice"`
	Quick    bool              `json:"quick,omitempty"`
	Versions map[string]string `json:"versions"` // of the modules
	Rows     []*Row            `json:"rows"`
	Missing  []string          `json:"missing,omitempty"` // what this machine could not measure
}

// Row is one piece of work.
type Row struct {
	Name    string            `json:"name"`
	Title   string            `json:"title"`
	Unit    string            `json:"unit"`
	Lower   bool              `json:"lowerIsBetter"`
	Base    string            `json:"base"`
	Plot    string            `json:"plot"`
	Without map[string]string `json:"without,omitempty"` // who cannot do it, and why
	Note    string            `json:"note,omitempty"`    // what else there is to know
	Figures []*Figure         `json:"figures"`
}

// Figure is what one contender has done.
type Figure struct {
	Contender string        `json:"contender"`
	Value     stats.Spread  `json:"value"`
	Ratio     *stats.Spread `json:"ratio,omitempty"` // to the base in the same rounds; nil for the base itself
	Rounds    []float64     `json:"rounds"`
}

// NewRow makes a row of the figures of all rounds.
func NewRow(r *suite.Row, figures map[string][]float64) *Row {
	row := &Row{
		Name: r.Name, Title: r.Title, Unit: r.Unit, Lower: r.Lower, Base: r.Base, Plot: r.Plot,
		Without: r.Work.Without(), Note: r.Work.Note(),
	}
	for _, name := range contender.Names() {
		list := figures[name]
		if len(list) == 0 {
			continue
		}
		f := &Figure{Contender: name, Value: stats.Of(list), Rounds: list}
		if base := figures[r.Base]; name != r.Base && len(base) > 0 {
			ratio := stats.Of(stats.Ratios(list, base))
			f.Ratio = &ratio
		}
		row.Figures = append(row.Figures, f)
	}
	return row
}

// Row returns the row of that name, or nil.
func (r *Report) Row(name string) *Row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return nil
}

// Figure returns that of a contender, or nil.
func (r *Row) Figure(contender string) *Figure {
	for _, f := range r.Figures {
		if f.Contender == contender {
			return f
		}
	}
	return nil
}

// Ratio returns the median of the ratios of two contenders in the same rounds.
func (r *Row) Ratio(contender, base string) (float64, error) {
	a, b := r.Figure(contender), r.Figure(base)
	if a == nil {
		return 0, fmt.Errorf("%s was not measured", contender)
	}
	if b == nil {
		return 0, fmt.Errorf("%s was not measured", base)
	}
	return stats.Of(stats.Ratios(a.Rounds, b.Rounds)).Median, nil
}

// In returns the rows of a picture.
func (r *Report) In(plot string) []*Row {
	var list []*Row
	for _, row := range r.Rows {
		if row.Plot == plot {
			list = append(list, row)
		}
	}
	return list
}

// Write writes the report to a file, as JSON.
func (r *Report) Write(name string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o666)
}

// Read reads what Write has written.
func Read(name string) (*Report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
