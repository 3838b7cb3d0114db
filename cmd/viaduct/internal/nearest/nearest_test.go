package nearest

import (
	"slices"
	"strings"
	"testing"
)

func TestTo(t *testing.T) {
	names := []string{"Arith.Add", "Arith.Div", "Files.Open", "Files.Close", "Arith.AddAll"}
	for name, want := range map[string][]string{
		"Arith.add":               {"Arith.Add", "Arith.AddAll"},
		"Add":                     {"Arith.Add", "Arith.AddAll"},
		"Arith.Sdd":               {"Arith.Add"},
		"open":                    {"Files.Open"},
		"Quux.Frobnicate":         nil,
		"":                        nil,
		strings.Repeat("x", 1e6):  nil,
		strings.Repeat("\xff", 9): nil,
	} {
		got := To(name, names)
		if len(got) > 1 && len(want) > 0 { // the first counts
			got = got[:min(len(got), len(want))]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.20q: %q, %q was expected", name, got, want)
		}
	}
	if got := To("Arith.Ad", names); got[0] != "Arith.Add" || len(got) > 3 {
		t.Errorf("%q", got)
	}
}
