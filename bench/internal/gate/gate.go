// Package gate is what a comparison must not fall below. The margins are wide: it is there to find
// what has become much slower, on machines that are shared and differ.
package gate

import (
	"errors"
	"fmt"

	"github.com/viaduct-go/viaduct/bench/internal/report"
)

// Rule bounds a ratio: the figure of a contender in a row, divided by that of the base in the same
// round. Figures that are the better the lower have a Most, others a Least.
type Rule struct {
	Row, Contender, Base string
	Least, Most          float64
}

// Rules are those that -gate checks. All are on rows that a quick run has, too. Beside each stands
// what quick runs have shown on a busy machine of two processors.
var Rules = []Rule{
	{Row: "lone.1core", Contender: "viaduct", Base: "gob", Most: 2.5},             // 1.0
	{Row: "lone-cpu.1core", Contender: "viaduct", Base: "gob", Most: 2.5},         // 1.0
	{Row: "calls-64.1core", Contender: "viaduct", Base: "gob", Least: 0.6},        // 0.9-1.8
	{Row: "calls-64-cpu.1core", Contender: "viaduct", Base: "gob", Most: 1.5},     // 0.6
	{Row: "calls-64.2cores", Contender: "viaduct", Base: "gob", Least: 0.5},       // 1.3-2.0
	{Row: "calls-64.1core", Contender: "viaduct-client", Base: "gob", Least: 0.5}, // 0.9-1.6
	{Row: "echo-4k.2cores", Contender: "viaduct", Base: "gob", Least: 0.4},        // 1.0-2.4
	{Row: "echo-64k.2cores", Contender: "viaduct", Base: "gob", Least: 0.4},       // 1.0-1.3
	{Row: "echo-16m.2cores", Contender: "viaduct", Base: "gob", Least: 1.0},       // 2.2-3.3
	{Row: "record.1core", Contender: "viaduct", Base: "gob", Most: 2.5},           // 1.0
	{Row: "floats.2cores", Contender: "viaduct", Base: "gob", Most: 3},            // 1.0
	{Row: "both.2cores", Contender: "viaduct", Base: "gob", Least: 0.4},           // 1.0-1.5
	{Row: "notify.2cores", Contender: "viaduct", Base: "gob", Least: 0.4},         // 0.8-2.2
	{Row: "stream-32k.2cores", Contender: "viaduct", Base: "bare", Least: 0.2},    // 0.4-0.6
	{Row: "beside-p99.2cores", Contender: "viaduct", Base: "gob", Most: 0.8},      // 0.1-0.2
	{Row: "start.2cores", Contender: "viaduct", Base: "gob", Most: 3.5},           // 1.4-1.9
	{Row: "size", Contender: "viaduct", Base: "gob", Most: 2.2},                   // 1.7
	{Row: "memory-parent", Contender: "viaduct", Base: "gob", Most: 9},            // 4.4-4.9
	{Row: "memory-child", Contender: "viaduct", Base: "gob", Most: 1.8},           // 1.2-1.3
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
