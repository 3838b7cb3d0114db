// Package examples_test runs the examples and compares what they print.
package examples_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	{"polyglot", "polyglot.txt", 0},
	{"neovim", "neovim.txt", 0},
}

// children are programs that are started by one of those.
var children = []string{"quickstart/child"}

// programArgs returns the arguments of a program that needs some here. It skips
// the test if something is missing that the program needs besides Go.
var programArgs = map[string]func(t *testing.T) []string{
	"polyglot":  func(t *testing.T) []string { return polyglotArgs(t, languages...) },
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
	lookAtSources(t)
	temp := t.TempDir()
	bin := filepath.Join(temp, "bin") + string(filepath.Separator)
	args := []string{"build", "-o", bin}
	if raceEnabled {
		args = append(args, "-race")
	}
	goTool(t, append(args, "./...")...)
	for _, p := range programs {
		t.Run(p.dir, func(t *testing.T) {
			cannotRun(t)
			want := readFile(t, filepath.Join("testdata", p.output))
			cmd := exec.Command(bin + filepath.Base(p.dir))
			if p.dir == "quickstart/parent" { // it starts bin/child
				cmd.Dir = temp
			}
			if args := programArgs[p.dir]; args != nil {
				cmd.Args = append(cmd.Args, args(t)...)
			}
			orphans, known := countOrphans(t, func() {
				got := run(t, cmd)
				if same := alike[p.dir]; same != nil {
					got = same(got)
				}
				require.Equal(t, want, got)
			})
			if known {
				require.Equal(t, p.orphans, orphans, "processes that have outlived those that started them")
			}
		})
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
	for _, dir := range children {
		dirs = append(dirs, filepath.FromSlash(dir+"/main.go"))
	}
	require.ElementsMatch(t, dirs, mains)
	for _, p := range programs {
		require.Contains(t, readFile(t, "README.md"), "("+p.dir+")", "the list of examples")
	}
}

// The first command that README shows, and an argument that gets through.
func TestGoRunHello(t *testing.T) {
	lookAtSources(t)
	cannotRun(t)
	want := readFile(t, "testdata/hello.txt")
	cmd := exec.Command("go", "run", "./examples/hello")
	cmd.Dir = ".."
	require.Equal(t, want, run(t, cmd))

	cmd = exec.Command("go", "run", "./examples/hello", "-name", "-v = 1")
	cmd.Dir = ".."
	require.Contains(t, run(t, cmd), "child: my name is -v = 1\n")
}

// lookAtSources reads the directories of the module. The result of a test is
// cached with the files that the test itself has looked at: what the go
// command, run by it, has looked at is not among them.
func lookAtSources(t *testing.T) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	}))
}

// cannotRun skips the test where programs can be built but not run.
func cannotRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("procspawn has no pipes on Windows yet")
	}
	if os.Getenv("VIADUCT_TEST_EXEC") != "" {
		t.Skip("a program that runs under an emulator cannot start itself")
	}
}

// goTool runs the go command for the platform of this test.
func goTool(t *testing.T, args ...string) string {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %v: %s", args, out)
	return string(out)
}

// run runs cmd, which must succeed and print nothing to stderr, and returns
// what it has printed. It returns when nobody holds stdout and stderr any more.
func run(t *testing.T, cmd *exec.Cmd) string {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // what hangs, fails, and a machine may be busy
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A program with the race detector sleeps for a second in os.Exit.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		require.NoError(t, err, "%v printed\n%s%s", cmd, &stdout, &stderr)
	case <-ctx.Done():
		cmd.Process.Kill()
		t.Fatalf("%v hangs, or a program started by it holds its stdout", cmd)
	}
	require.Empty(t, stderr.String(), "stderr of %v", cmd)
	return stdout.String()
}

func readFile(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}
