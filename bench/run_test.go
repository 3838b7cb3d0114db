package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/gate"
	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// TestRun measures a little with all that the program can show, and shows it again from the file.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file, pictures := filepath.Join(dir, "all.json"), filepath.Join(dir, "pictures")
	var page strings.Builder
	args := []string{
		"-rows", "^(lone|start|memory|size)", "-contenders", "^(bare|viaduct|gob|go-plugin)$", "-quick", "-rounds", "2", "-slice", "2ms",
		"-json", file, "-svg", pictures, "-markdown",
	}
	require.NoError(t, run(t.Context(), args, &page, io.Discard))
	require.Contains(t, page.String(), "](pictures/lone.svg)")
	require.FileExists(t, filepath.Join(pictures, "lone.svg"))
	require.FileExists(t, filepath.Join(pictures, "memory.svg"))

	r, err := report.Read(file)
	require.NoError(t, err)
	require.Equal(t, 2, r.Rounds)
	require.Contains(t, r.Versions, "github.com/hashicorp/go-plugin")
	row := r.Row("size")
	require.NotNil(t, row)
	require.Len(t, row.Figures, 4)
	ratio, err := row.Ratio("viaduct", "gob")
	require.NoError(t, err)
	require.Greater(t, ratio, 1.0)

	var again, text strings.Builder
	require.NoError(t, run(t.Context(), []string{"-from", file, "-markdown", "-svg", pictures}, &again, io.Discard))
	require.Equal(t, page.String(), again.String())

	// What was not measured does not pass.
	err = run(t.Context(), []string{"-from", file, "-gate"}, &text, io.Discard)
	require.ErrorContains(t, err, "gate: calls-64.1core was not measured")
	require.NotContains(t, err.Error(), "gate: size")
	require.Contains(t, text.String(), "size: binary size added, MiB, the lower the better\n")
}

// TestProfile: each contender works alone, and both processes write where their time goes.
func TestProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var text strings.Builder
	args := []string{"-rows", "^(lone|calls-8|start)", "-contenders", "^(viaduct|gob)$", "-rounds", "2", "-slice", "100ms", "-quick", "-profile", dir}
	require.NoError(t, run(t.Context(), args, &text, io.Discard))
	require.NotContains(t, text.String(), "start")
	require.Contains(t, text.String(), ".viaduct: processor time, % of both processes'\n")
	files, err := filepath.Glob(filepath.Join(dir, "*.pprof"))
	require.NoError(t, err)
	modes, _ := suite.Modes(runtime.NumCPU())
	for _, process := range []string{"viaduct.parent", "viaduct.child", "gob.parent"} {
		require.Contains(t, files, filepath.Join(dir, "lone."+modes[0].Name+"."+process+".pprof"))
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(content), "\x1f\x8b"), "%s is compressed by gzip, as all profiles are", name)
	}
}

// TestGate: a report that breaks a rule is an error, and the text is printed all the same.
func TestGate(t *testing.T) {
	r := &report.Report{}
	for _, rule := range gate.Rules {
		row := r.Row(rule.Row)
		if row == nil {
			row = &report.Row{Name: rule.Row}
			r.Rows = append(r.Rows, row)
		}
		for name, figure := range map[string]float64{rule.Base: 1, rule.Contender: max(rule.Least, rule.Most)} {
			if row.Figure(name) == nil {
				row.Figures = append(row.Figures, &report.Figure{Contender: name, Rounds: []float64{figure}})
			}
		}
	}
	file := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.Write(file))
	require.NoError(t, run(t.Context(), []string{"-from", file, "-gate"}, io.Discard, io.Discard))
	r.Row("start.2cores").Figure("viaduct").Rounds[0] = 100
	require.NoError(t, r.Write(file))
	var text strings.Builder
	err := run(t.Context(), []string{"-from", file, "-gate"}, &text, io.Discard)
	require.EqualError(t, err, "gate: start.2cores: viaduct is 100.00 times gob, and may be 3.50 at most")
	require.Contains(t, text.String(), "start.2cores")
}

// TestElsewhere: without the sources the rows about programs are left out, which is told.
func TestElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	var text strings.Builder
	require.NoError(t, run(t.Context(), []string{"-rows", "^(lone|size)", "-contenders", "^gob$", "-rounds", "1", "-slice", "1ms"}, &text, io.Discard))
	require.Contains(t, text.String(), "lone.")
	require.NotContains(t, text.String(), "size:")
	require.Contains(t, text.String(), "The rows about processes and programs are left out: ")
	_, err := os.Stat("go.mod")
	require.Error(t, err)
}
