package procspawn

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The restarts helper starts itself for each line of its input, as often nested as the line is
// long, and prints where the file was found, what the child is called, and what it says.
var _ = helper("restarts", func(args []string) {
	if IsChild() {
		l := connect(nil)
		io.WriteString(l, "version 1")
		if len(args) > 0 && args[0] != "" {
			fmt.Fprint(l, ", ", restart(args[0][1:]))
		}
		must(l.Close())
		return
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(restart(lines.Text()))
	}
})

func restart(depth string) string {
	cmd := Self("helper:restarts", depth)
	p, err := Start(context.Background(), cmd, nil)
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", " ")
	}
	text, _ := readLink(p.Link())
	p.Stop()
	return fmt.Sprintf("%s as %s: %s", filepath.Base(cmd.Path), filepath.Base(cmd.Args[0]), text)
}

// upgraded is a program, not a child of ours, whose file a test replaces.
type upgraded struct {
	path  string
	in    io.WriteCloser
	lines *bufio.Reader
}

func startUpgraded(t *testing.T) *upgraded {
	exe, err := os.Executable()
	require.NoError(t, err)
	u := &upgraded{path: filepath.Join(t.TempDir(), "program")}
	// Not written by this process: see Start about text files that are busy.
	require.NoError(t, exec.Command("cp", exe, u.path).Run())
	cmd := exec.Command(u.path, "helper:restarts")
	u.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		u.in.Close()
		assert.NoError(t, cmd.Wait())
	})
	u.lines = bufio.NewReader(out)
	require.Equal(t, "ready", u.line(t))
	return u
}

func (u *upgraded) line(t *testing.T) string {
	line, err := u.lines.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(line, "\n")
}

func (u *upgraded) restart(t *testing.T, depth string) string {
	_, err := io.WriteString(u.in, depth+"\n")
	require.NoError(t, err)
	return u.line(t)
}

// install puts another program into the place of the one that runs, as package managers do.
func (u *upgraded) install(t *testing.T) {
	next := u.path + ".new"
	require.NoError(t, os.WriteFile(next, []byte("#!/bin/sh\necho version 2 >&2\nexit 3\n"), 0o755))
	require.NoError(t, os.Rename(next, u.path))
}

// TestSelfAfterUpgrade: Self is the program that runs, whatever has become of its file.
func TestSelfAfterUpgrade(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, u *upgraded)
		want   string
		nested string // the same by the child
	}{
		{"as it was", func(*testing.T, *upgraded) {}, "program as program: version 1", "program as program: version 1"},
		{"read", func(t *testing.T, u *upgraded) {
			_, err := os.ReadFile(u.path)
			require.NoError(t, err)
		}, "program as program: version 1", "program as program: version 1"},
		{"replaced", func(t *testing.T, u *upgraded) { u.install(t) }, "exe as program: version 1", "exe as program: version 1"},
		{"replaced twice", func(t *testing.T, u *upgraded) { u.install(t); u.install(t) }, "exe as program: version 1", "exe as program: version 1"},
		{"removed", func(t *testing.T, u *upgraded) { require.NoError(t, os.Remove(u.path)) }, "exe as program: version 1", "exe as program: version 1"},
		{"moved", func(t *testing.T, u *upgraded) { require.NoError(t, os.Rename(u.path, u.path+".old")) },
			// The child knows its file by the name that it has now.
			"exe as program: version 1", "program.old as program.old: version 1"},
		{"moved and replaced", func(t *testing.T, u *upgraded) {
			require.NoError(t, os.Rename(u.path, u.path+".old"))
			u.install(t)
		}, "exe as program: version 1", "program.old as program.old: version 1"},
		{"its directory removed", func(t *testing.T, u *upgraded) { require.NoError(t, os.RemoveAll(filepath.Dir(u.path))) },
			"exe as program: version 1", "exe as program: version 1"},
		{"a directory in its place", func(t *testing.T, u *upgraded) {
			require.NoError(t, os.Remove(u.path))
			require.NoError(t, os.Mkdir(u.path, 0o755))
		}, "exe as program: version 1", "exe as program: version 1"},
		{"touched", func(t *testing.T, u *upgraded) { require.NoError(t, os.Chmod(u.path, 0o750)) },
			"exe as program: version 1", "program as program: version 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := startUpgraded(t)
			tt.change(t, u)
			assert.Equal(t, tt.want, u.restart(t, ""))
			assert.Equal(t, tt.want, u.restart(t, ""))
			assert.Equal(t, tt.want+", "+tt.nested, u.restart(t, "x"))
			assert.Equal(t, tt.want+", "+tt.nested+", "+tt.nested, u.restart(t, "xx"))
		})
	}
}

// TestSelfSameInode: a file that was removed and made anew can get the same number.
func TestSelfSameInode(t *testing.T) {
	defer func(i image) { running = i }(running)
	path, file, err := executable()
	require.NoError(t, err)
	require.Equal(t, path, file)
	running.ctime.Nsec++
	path, file, err = executable()
	require.NoError(t, err)
	require.Equal(t, runningPath, path)
	require.Equal(t, runningFile, file)
	require.Zero(t, imageOf(path+"x"))
}

// TestSelfHint: another program at our path is not this one.
func TestSelfHint(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	require.True(t, isSelf(exe))
	require.True(t, isSelf(runningFile))
	require.False(t, isSelf("/bin/sh"))
}
