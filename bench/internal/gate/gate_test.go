package gate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

func TestCheck(t *testing.T) {
	r := &report.Report{Rows: []*report.Row{{Name: "calls", Figures: []*report.Figure{
		{Contender: "viaduct", Rounds: []float64{10, 30, 20}},
		{Contender: "gob", Rounds: []float64{10, 10, 10}},
	}}}}
	require.NoError(t, Check(r, nil))
	require.NoError(t, Check(r, []Rule{
		{Row: "calls", Contender: "viaduct", Base: "gob", Least: 2},
		{Row: "calls", Contender: "viaduct", Base: "gob", Most: 2},
	}))
	err := Check(r, []Rule{
		{Row: "calls", Contender: "viaduct", Base: "gob", Least: 2.01},
		{Row: "calls", Contender: "viaduct", Base: "gob", Most: 1.99},
		{Row: "starts", Contender: "viaduct", Base: "gob", Most: 9},
		{Row: "calls", Contender: "grpc", Base: "gob", Most: 9},
		{Row: "calls", Contender: "gob", Base: "bare", Most: 9},
	})
	require.EqualError(t, err, "gate: calls: viaduct is 2.00 times gob, and must be 2.01 at least\n"+
		"gate: calls: viaduct is 2.00 times gob, and may be 1.99 at most\n"+
		"gate: starts was not measured\n"+
		"gate: calls: grpc was not measured\n"+
		"gate: calls: bare was not measured")
}

// TestRules: each is on a row that a quick run has, and bounds the side that is worse.
func TestRules(t *testing.T) {
	rows := map[string]*suite.Row{}
	modes := []suite.Mode{{Name: "1core"}, {Name: "2cores"}, {Name: "1proc"}}
	for _, row := range suite.Rows(modes, true, 10) {
		rows[row.Name] = row
	}
	for _, rule := range Rules {
		row := rows[rule.Row]
		if row == nil && (rule.Row == "memory-child" || rule.Row == "memory-all") {
			continue // on Linux alone
		}
		require.NotNil(t, row, rule.Row)
		require.Equal(t, row.Lower, rule.Most > 0, rule.Row)
		require.Equal(t, row.Lower, rule.Least == 0, rule.Row)
		for _, name := range []string{rule.Contender, rule.Base} {
			require.Empty(t, row.Work.Without()[name], "%s: %s", rule.Row, name)
		}
	}
}
