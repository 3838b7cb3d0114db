package suite

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
)

func TestMain(m *testing.M) {
	if contender.IsChild() {
		if err := contender.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// With the race detector a program sleeps for 1 s when it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	dir, err := os.MkdirTemp("", "bench")
	if err == nil {
		os.Setenv("TMPDIR", dir) // what libraries leave behind when they are killed is removed
		err = lifeline.Hold()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// programs is the directory of the minimal programs, once they are built.
var programs string

func buildPrograms(t *testing.T) string {
	if programs == "" {
		dir, err := os.MkdirTemp("", "bench")
		require.NoError(t, err)
		programs = dir
		begin := time.Now()
		out, err := exec.Command("go", "build", "-o", dir, "../../minimal/...").CombinedOutput()
		require.NoError(t, err, "%s", out)
		t.Logf("built the minimal programs in %v", time.Since(begin))
	}
	return programs
}

// everywhere is a mode in which all works are done, without any choice of processors.
func everywhere(name string) Mode { return Mode{Name: name, Title: name} }

// TestRows: every contender does each work that it is listed for, and every row has figures of it.
func TestRows(t *testing.T) {
	programs := buildPrograms(t)
	for _, mode := range []string{oneCore, twoCores} {
		spec := &Spec{
			Mode: everywhere(mode), Contenders: contender.Names(), Rounds: 2, Slice: time.Millisecond, Children: 3, Programs: programs,
		}
		rows := map[string]*Row{}
		for _, row := range Rows([]Mode{spec.Mode}, false, spec.Children) {
			rows[row.Name] = row
			spec.Rows = append(spec.Rows, row.Name)
		}
		steps := 0
		err := spec.Run(t.Context(), func(e Event) {
			if e.Step != "" {
				steps++
			}
			row := rows[e.Row]
			if row == nil {
				return
			}
			delete(rows, e.Row)
			for _, name := range contender.Names() {
				if row.Work.without[name] != "" {
					require.Empty(t, e.Figures[name], "%s: %s", row.Name, name)
					continue
				}
				rounds := 2
				if row.Work.method == memory || row.Work.method == sizes {
					rounds = 1
				}
				require.Len(t, e.Figures[name], rounds, "%s: %s", row.Name, name)
				for _, f := range e.Figures[name] {
					if row.Plot != "memory" && row.Plot != "cpu" { // too small to count, of so little work
						require.Positive(t, f, "%s: %s", row.Name, name)
					}
				}
			}
		})
		require.NoError(t, err)
		require.Empty(t, rows, "that had no figures")
		require.Equal(t, spec.Steps(), steps)
	}
}

// TestMinimal: each minimal program starts itself and makes a call.
func TestMinimal(t *testing.T) {
	programs := buildPrograms(t)
	files, err := os.ReadDir(programs)
	require.NoError(t, err)
	require.Len(t, files, 10)
	for _, f := range files {
		out, err := exec.Command(filepath.Join(programs, f.Name())).CombinedOutput()
		require.NoError(t, err, "%s: %s", f.Name(), out)
		want := "42\n"
		if f.Name() == "empty" || f.Name() == "empty.exe" {
			want = ""
		}
		require.Equal(t, want, string(out), f.Name())
	}
	for _, c := range contender.All {
		require.True(t, slices.ContainsFunc(files, func(f os.DirEntry) bool { return f.Name() == c.Program || f.Name() == c.Program+".exe" }), c.Name)
	}
}

// TestNames: rows are told apart by their names, belong to a picture, and have a base that does
// their work.
func TestNames(t *testing.T) {
	modes := []Mode{everywhere(oneCore), everywhere(twoCores), everywhere(oneProc)}
	seen := map[string]bool{}
	all := Rows(modes, false, 100)
	for _, row := range all {
		require.False(t, seen[row.Name], row.Name)
		seen[row.Name] = true
		require.Contains(t, contender.Names(), row.Base, row.Name)
		require.Empty(t, row.Work.without[row.Base], row.Name)
		for name := range row.Work.without {
			require.Contains(t, contender.Names(), name)
		}
	}
	for _, row := range Rows(modes, true, 100) {
		require.True(t, seen[row.Name], "%s of a quick run is one of a full run", row.Name)
	}
	works := 0
	for _, w := range allWorks(100) {
		for _, r := range w.rows {
			for _, m := range modes {
				if w.in(m, false) && r.in(m) != "" {
					works++
					require.True(t, slices.ContainsFunc(Plots, func(p Plot) bool { return p.Name == r.in(m) }), w.Name)
				}
			}
		}
	}
	require.Len(t, all, works, "each row is in a picture")
}

// TestNotTied: where nothing can be pinned, the works of two cores are done all the same.
func TestNotTied(t *testing.T) {
	for _, row := range Rows([]Mode{everywhere(twoCores)}, false, 100) {
		require.True(t, row.Work.in(Mode{Name: notTied}, false))
	}
}

// TestWatch: what takes too long is noticed, and what has ended is left alone.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hung atomic.Int64
		stop := watch(func() { hung.Add(1) })
		time.Sleep(limit - time.Millisecond)
		synctest.Wait()
		require.Zero(t, hung.Load())
		time.Sleep(time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, hung.Load())
		stop()
		stop = watch(func() { hung.Add(1) })
		time.Sleep(limit / 2)
		stop()
		time.Sleep(limit)
		require.EqualValues(t, 1, hung.Load())
	})
}
