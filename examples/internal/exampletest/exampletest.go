// Package exampletest is what the tests of the examples share, those in modules of their own included.
// The directory of examples is the working directory of all of them.
package exampletest

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// LookAtSources reads the directories of the module. The result of a test is
// cached with the files that the test itself has looked at: what the go
// command, run by it, has looked at is not among them.
func LookAtSources(t *testing.T) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	}))
}

// CannotRun skips the test where programs can be built but not run.
func CannotRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the examples were run on Unix only")
	}
	if os.Getenv("VIADUCT_TEST_EXEC") != "" {
		t.Skip("a program that runs under an emulator cannot start itself")
	}
}

// GoTool runs the go command for the platform of this test.
func GoTool(t *testing.T, args ...string) string {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %v: %s", args, out)
	return string(out)
}

// Run runs cmd, which must succeed and print nothing to stderr, and returns
// what it has printed. It returns when nobody holds stdout and stderr any more.
func Run(t *testing.T, cmd *exec.Cmd) string {
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

// ReadFile returns what is in a file.
func ReadFile(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// CodeBlocks returns the lines of each fenced block of a language.
func CodeBlocks(markdown, language string) (blocks [][]string) {
	inside, open := false, false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "```") && open:
			inside, open = false, false
		case strings.HasPrefix(line, "```"):
			open = true
			if inside = line == "```"+language; inside {
				blocks = append(blocks, nil)
			}
		case inside:
			last := len(blocks) - 1
			blocks[last] = append(blocks[last], line)
		}
	}
	return blocks
}
