// Package examples_test runs the examples and compares what they print.
package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// A program is an example.
type program struct {
	dir     string
	output  string // the file of testdata that has what it prints
	orphans int    // how many processes outlive, for a moment, those that started them
}

var programs = []program{
	{"hello", "hello.txt", 0},
	{"quickstart/parent", "quickstart.txt", 0},
	{"callback", "callback.txt", 0},
	{"calls", "calls.txt", 0},
	{"parallel", "parallel.txt", 0},
	{"lifetime", "lifetime.txt", 1}, // it kills a parent
	{"supervised", "supervised.txt", 0},
	{"pool", "pool.txt", 0},
	{"plugins", "plugins.txt", 0},
	{"ui", "ui.txt", 0},
	{"privilege", "privilege.txt", 0},
	{"remote", "remote.txt", 0},
	{"encoding", "encoding.txt", 0},
	{"migrate/before", "migrate.txt", 0},
	{"migrate/after", "migrate.txt", 0},
	{"neovim", "neovim.txt", 0},
}

// elsewhere are programs that are run by tests of their own: polyglot/conformance runs the one in
// polyglot, since it needs Python and Node.
var elsewhere = []string{"polyglot"}

// children are programs that are started by one of those.
var children = []string{"quickstart/child"}

// programArgs returns the arguments of a program that needs some here. It skips
// the test if something is missing that the program needs besides Go.
var programArgs = map[string]func(t *testing.T) []string{
	"neovim":    func(t *testing.T) []string { needNeovim(t); return nil },
	"pool":      poolArgs,
	"ui":        func(*testing.T) []string { return []string{"-once"} },
	"privilege": func(t *testing.T) []string { needLinux(t); return nil },
}

// alike makes what a program prints, which differs from run to run, what stands in its file.
var alike = map[string]func(output string) string{
	"pool":      poolAlike,
	"privilege": privilegeAlike,
}

func TestPrograms(t *testing.T) {
	exampletest.LookAtSources(t)
	temp := t.TempDir()
	bin := filepath.Join(temp, "bin") + string(filepath.Separator)
	args := []string{"build", "-ldflags=-s -w", "-o", bin} // without what debuggers need they are linked sooner
	if testkit.RaceEnabled {
		args = append(args, "-race")
	}
	exampletest.GoTool(t, append(args, "./...")...)
	var want atomic.Int64
	orphans, known := exampletest.CountOrphans(t, func() {
		t.Run("all", func(t *testing.T) { // returns when all of them have ended
			for _, p := range programs {
				t.Run(p.dir, func(t *testing.T) {
					exampletest.CannotRun(t)
					t.Parallel() // most of them wait
					cmd := exec.Command(bin + filepath.Base(p.dir))
					if p.dir == "quickstart/parent" { // it starts bin/child
						cmd.Dir = temp
					}
					if args := programArgs[p.dir]; args != nil {
						cmd.Args = append(cmd.Args, args(t)...)
					}
					want.Add(int64(p.orphans)) // it is not skipped
					got := exampletest.Run(t, cmd)
					if same := alike[p.dir]; same != nil {
						got = same(got)
					}
					require.Equal(t, exampletest.ReadFile(t, filepath.Join("testdata", p.output)), got)
				})
			}
		})
	})
	if known {
		require.EqualValues(t, want.Load(), orphans, "processes that have outlived those that started them")
	}
}

func TestEveryProgramIsRun(t *testing.T) {
	var mains, dirs []string
	for _, pattern := range []string{"*/main.go", "*/*/main.go"} {
		m, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range m {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), "go.mod")); err != nil { // a module of its own has tests of its own
				mains = append(mains, name)
			}
		}
	}
	for _, p := range programs {
		dirs = append(dirs, filepath.FromSlash(p.dir+"/main.go"))
	}
	for _, dir := range slices.Concat(children, elsewhere) {
		dirs = append(dirs, filepath.FromSlash(dir+"/main.go"))
	}
	require.ElementsMatch(t, dirs, mains)
	for _, p := range programs {
		require.Contains(t, exampletest.ReadFile(t, "README.md"), "("+p.dir+")", "the list of examples")
	}
}

// The first command that README shows, and an argument that gets through.
func TestGoRunHello(t *testing.T) {
	exampletest.LookAtSources(t)
	exampletest.CannotRun(t)
	want := exampletest.ReadFile(t, "testdata/hello.txt")
	cmd := exec.Command("go", "run", "./examples/hello")
	cmd.Dir = ".."
	require.Equal(t, want, exampletest.Run(t, cmd))

	cmd = exec.Command("go", "run", "./examples/hello", "-name", "-v = 1")
	cmd.Dir = ".."
	require.Contains(t, exampletest.Run(t, cmd), "child: my name is -v = 1\n")
}
