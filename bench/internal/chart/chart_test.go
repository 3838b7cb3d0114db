package chart

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// TestWrite: every picture is well-formed, and has the names, the titles and the figures of its
// rows.
func TestWrite(t *testing.T) {
	r := &report.Report{Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Machine: report.Machine{CPU: "A & B <C>", Processors: 2, Go: "go1"}}
	modes := []suite.Mode{{Name: "1core", Title: "one core"}, {Name: "2cores", Title: "two cores"}, {Name: "1proc", Title: "GOMAXPROCS=1"}}
	for i, row := range suite.Rows(modes, false, 100) {
		figures := map[string][]float64{}
		for k, name := range contender.Names() {
			if row.Work.Without()[name] == "" {
				figures[name] = []float64{float64(100*i + k), float64(100*i + k + 2)}
			}
		}
		r.Rows = append(r.Rows, report.NewRow(row, figures))
	}
	dir := filepath.Join(t.TempDir(), "new")
	require.NoError(t, Write(r, dir))
	for _, p := range suite.Plots {
		file := filepath.Join(dir, p.Name+".svg")
		if len(r.In(p.Name)) == 0 {
			require.NoFileExists(t, file)
			continue
		}
		svg, err := os.ReadFile(file)
		require.NoError(t, err)
		shown := texts(t, svg)
		require.Contains(t, shown, p.Title)
		require.Contains(t, shown, "2026-01-02, A & B <C>, 2 processors, go1")
		require.NotContains(t, string(svg), "NaN")
		require.NotContains(t, string(svg), "fill:#FFFFFF", "there is no ground")
		for _, row := range r.In(p.Name) {
			require.Contains(t, strings.Join(shown, " "), row.Title)
			for _, f := range row.Figures {
				require.Contains(t, shown, f.Contender)
				require.Contains(t, shown, report.Number(f.Value.Median))
			}
		}
	}
}

// texts returns all text of a picture.
func texts(t *testing.T, svg []byte) []string {
	var list []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok {
			if text := strings.TrimSpace(string(data)); text != "" {
				list = append(list, text)
			}
		}
	}
}

// TestContrast: text and bars stand out from white, and from the dark grounds of web pages.
func TestContrast(t *testing.T) {
	for _, ground := range []float64{luminance(0xff, 0xff, 0xff), luminance(0x0d, 0x11, 0x17)} {
		require.Greater(t, contrast(luminance(ink.R, ink.G, ink.B), ground), 4.0)
		require.Greater(t, contrast(luminance(ours.R, ours.G, ours.B), ground), 3.0)
		require.Greater(t, contrast(luminance(theirs.R, theirs.G, theirs.B), ground), 2.5)
	}
}
