package report

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/stats"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// sample returns a report whose figures are nobody's.
func sample(t *testing.T) *Report {
	r := &Report{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rounds: 3, Slice: "10ms", Missing: []string{"One core is left out."},
		Machine:  Machine{CPU: "some CPU", Processors: 2, OS: "linux 6", Arch: "amd64", Go: "go1"},
		Versions: map[string]string{"google.golang.org/grpc": "v1.2.3"},
	}
	for _, row := range suite.Rows([]suite.Mode{{Name: "2cores", Title: "two cores"}}, false, 10) {
		switch row.Name {
		case "echo-64k.2cores", "echo-16m.2cores":
			figures := map[string][]float64{"viaduct": {300, 100, 200}, "gob": {100, 100, 100}, "bare": {1234.5, 1234.5, 1234.5}}
			if row.Name == "echo-64k.2cores" {
				figures["ttrpc"] = []float64{50, 50, 50}
			}
			r.Rows = append(r.Rows, NewRow(row, figures))
		case "size":
			r.Rows = append(r.Rows, NewRow(row, map[string][]float64{"viaduct": {3}, "gob": {2}}))
		}
	}
	require.Len(t, r.Rows, 3)
	return r
}

func TestNewRow(t *testing.T) {
	row := sample(t).Row("echo-16m.2cores")
	require.Equal(t, stats.Spread{Q1: 150, Median: 200, Q3: 250}, row.Figure("viaduct").Value)
	require.Equal(t, &stats.Spread{Q1: 1.5, Median: 2, Q3: 2.5}, row.Figure("viaduct").Ratio)
	require.Nil(t, row.Figure("gob").Ratio, "to itself")
	require.Nil(t, row.Figure("grpc"))
	ratio, err := row.Ratio("viaduct", "bare")
	require.NoError(t, err)
	require.InDelta(t, 0.162, ratio, 0.001)
	_, err = row.Ratio("viaduct", "grpc")
	require.EqualError(t, err, "grpc was not measured")
}

// TestNoBase: without its base a row has figures alone.
func TestNoBase(t *testing.T) {
	for _, row := range suite.Rows([]suite.Mode{{Name: "2cores"}}, false, 10) {
		for _, f := range NewRow(row, map[string][]float64{"ttrpc": {1, 2}}).Figures {
			require.Nil(t, f.Ratio)
		}
	}
}

func TestJSON(t *testing.T) {
	r := sample(t)
	name := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.Write(name))
	back, err := Read(name)
	require.NoError(t, err)
	require.Equal(t, r, back)
	_, err = Read(name + ".not")
	require.Error(t, err)
}

func TestText(t *testing.T) {
	var text strings.Builder
	require.NoError(t, sample(t).Text(&text))
	require.Equal(t, `2026-01-02, some CPU, 2 processors, linux 6, amd64, go1

echo-64k.2cores: echo of 64 KiB, two cores, MiB/s, the higher the better
           median    quartiles  to gob    quartiles
     bare   1,230  1,230-1,230   12.35  12.35-12.35
  viaduct     200      150-250    2.00    1.50-2.50
      gob     100      100-100                     
    ttrpc    50.0    50.0-50.0    0.50    0.50-0.50

echo-16m.2cores: echo of 16 MiB, two cores, MiB/s, the higher the better
           median    quartiles  to gob    quartiles
     bare   1,230  1,230-1,230   12.35  12.35-12.35
  viaduct     200      150-250    2.00    1.50-2.50
      gob     100      100-100                     

size: binary size added, MiB, the lower the better
           median  quartiles  to gob  quartiles
  viaduct    3.00               1.50           
      gob    2.00                              

One core is left out.
`, text.String())
	require.Equal(t, "row: viaduct 2.00, gob 1.00", Line("row", map[string][]float64{"gob": {1}, "viaduct": {1, 2, 3}}))
}

func TestMarkdown(t *testing.T) {
	var page strings.Builder
	require.NoError(t, sample(t).Markdown(&page, "pictures"))
	for _, want := range []string{
		"Measured on 2026-01-02, on some CPU, 2 processors, linux 6, amd64, go1.\n",
		"| grpc | gRPC on a unix socket (google.golang.org/grpc v1.2.3) |\n",
		"## Bytes there and back\n\n![Bytes there and back](pictures/bytes.svg)\n\n",
		"| | echo of 64 KiB, two cores, MiB/s ↑ | echo of 16 MiB, two cores, MiB/s ↑ |\n|---|--:|--:|\n",
		"| **viaduct** | 200 ×2.00 (1.50-2.50) | 200 ×2.00 (1.50-2.50) |\n",
		"| gob | 100 | 100 |\n| ttrpc | 50.0 ×0.50 (0.50-0.50) |  |\n",
		"\nNot in echo of 16 MiB, two cores: ttrpc has messages of up to 4 MiB.\n",
		"| **viaduct** | 3.00 ×1.50 |\n",
		"\nNot here: viaduct-client does it as viaduct does.\n",
		"\nOne core is left out.\n",
	} {
		require.Contains(t, page.String(), want)
	}
	require.NotContains(t, page.String(), "beside")
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0, "0"}, {0.01234, "0.0123"}, {0.5, "0.500"}, {1, "1.00"}, {9.999, "10.0"}, {99.95, "100"}, {123.4, "123"}, {999.6, "1,000"},
		{1234, "1,230"}, {237_499, "237,000"}, {1_234_567, "1,230,000"}, {-12.84, "-12.8"}, {-1234, "-1,230"},
	} {
		require.Equal(t, c.want, Number(c.v))
	}
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	require.Positive(t, m.Processors)
	require.Contains(t, m.String(), m.Go)
}
