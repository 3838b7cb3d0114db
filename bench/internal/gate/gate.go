// Package gate is what a comparison must not fall below. The margins are wide: it is there to find
// what has become much slower, on machines that are shared and differ.
package gate

import (
	"errors"
	"fmt"

	"github.com/viaduct-go/viaduct/bench/internal/report"
)

// Rule bounds a ratio: the figure of a contender in a row, divided by the base's. Of figures that
// are the better the lower, Least is 0, of others Most is 0.
type Rule struct {
	Row, Contender, Base string
	Least, Most          float64
}

// Rules are those that -gate checks. All are on rows that a quick run has, too.
var Rules = []Rule{
	{"lone.1core", "viaduct", "gob", 0, 0.9},
}

// Check returns an error for each rule that the report breaks.
func Check(r *report.Report, rules []Rule) error {
	var errs []error
	for _, rule := range rules {
		errs = append(errs, rule.check(r))
	}
	return errors.Join(errs...)
}

func (rule Rule) check(r *report.Report) error {
	row := r.Row(rule.Row)
	if row == nil {
		return fmt.Errorf("gate: %s was not measured", rule.Row)
	}
	ratio, err := row.Ratio(rule.Contender, rule.Base)
	if err != nil {
		return fmt.Errorf("gate: %s: %w", rule.Row, err)
	}
	if rule.Most > 0 && ratio > rule.Most {
		return fmt.Errorf("gate: %s: %s is %.2f times %s, and may be %.2f at most", rule.Row, rule.Contender, ratio, rule.Base, rule.Most)
	}
	if ratio < rule.Least {
		return fmt.Errorf("gate: %s: %s is %.2f times %s, and must be %.2f at least", rule.Row, rule.Contender, ratio, rule.Base, rule.Least)
	}
	return nil
}
