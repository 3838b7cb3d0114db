package procspawn

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

func TestPlaceSentinel(t *testing.T) {
	words := [2]string{"viaduct.1", "fd:3,4"}
	tests := []struct{ args, want string }{
		{"p", "p viaduct.1 fd:3,4"},
		{"p -v x", "p viaduct.1 fd:3,4 -v x"},
		{"p HERE", "p viaduct.1 fd:3,4"},
		{"p a b HERE c", "p a b viaduct.1 fd:3,4 c"},
		{"p a HERE", "p a viaduct.1 fd:3,4"},
		{"p viaduct.1 fd:8,9", "p viaduct.1 fd:3,4 viaduct.1 fd:8,9"},
		{"p HERE viaduct.1 fd:8,9", "p viaduct.1 fd:3,4 viaduct.1 fd:8,9"},
		{"p viaduct.1 HERE", "p viaduct.1 viaduct.1 fd:3,4"},
		{"p fd:8,9 HERE", "p fd:8,9 viaduct.1 fd:3,4"},
	}
	for _, tt := range tests {
		args := strings.Fields(strings.ReplaceAll(tt.args, "HERE", Here))
		before := append([]string(nil), args...)
		got, err := placeSentinel(args, words)
		require.NoError(t, err, tt.args)
		assert.Equal(t, tt.want, strings.Join(got, " "))
		assert.Equal(t, before, args, "the caller's slice was changed")
	}
	for args, want := range map[string]string{
		"HERE a":                   "Args[0]",
		"p HERE HERE":              "twice (Args[1] and Args[2])",
		"p a HERE b HERE":          "twice (Args[2] and Args[4])",
		"p viaduct.1 fd:8,9 HERE":  `"viaduct.1" "fd:8,9" before Here`,
		"p a viaduct.2 x:y b HERE": `"viaduct.2" "x:y" before Here`,
	} {
		_, err := placeSentinel(strings.Fields(strings.ReplaceAll(args, "HERE", Here)), words)
		assert.ErrorContains(t, err, want, args)
	}
}

// The args helper sends its arguments, all of them, the program's name included.
var _ = helper("args", func([]string) {
	l := connect(nil)
	b := mpack.AppendArray(nil, len(os.Args)-2)
	for _, arg := range os.Args[2:] {
		b = mpack.AppendString(b, arg)
	}
	l.Write(b)
	must(l.Close())
})

// childArgs returns the arguments that the child of cmd, an args helper, sees.
func childArgs(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	p := startChild(t, cmd, nil)
	b, err := readLink(p.Link())
	require.Error(t, err)
	list, rest, err := readRaw(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	return list
}

// readRaw is readStrings for any bytes.
func readRaw(b []byte) (list []string, rest []byte, err error) {
	n, rest, err := mpack.ReadArray(b)
	for range n {
		var s []byte
		if s, rest, err = mpack.ReadString(rest); err != nil {
			return nil, nil, err
		}
		list = append(list, string(s))
	}
	return list, rest, err
}

// strangeArgs is what a caller may pass.
func strangeArgs() [][]string {
	var all strings.Builder
	for c := 1; c < 256; c++ {
		all.WriteByte(byte(c))
	}
	bytes, long := []string{all.String(), "\xff\xfe", "ÄÖ", "日本"}, 100_000
	if runtime.GOOS == "windows" { // arguments are one line there, in UTF-16
		bytes, long = []string{all.String()[:127], "ÄÖ", "日本", `\`, `\"`, `a\\"b c\\`}, 30_000
	}
	return [][]string{
		nil,
		{""},
		{"", "", ""},
		{"-v", "--", "-x=1", "a b", "\n", "$HOME", `"`, "'", "*"},
		bytes,
		{"viaduct.1", "fd:3,4"},
		{"viaduct.1", "viaduct.1", "fd:3,4", "fd:3,4"},
		{"viaduct.2", "fd:3,4", "viaduct.1"},
		{"viaduct.1"},
		{strings.Repeat("x", long)},
	}
}

func TestArgsArriveAsTheyAre(t *testing.T) {
	noLeaks(t)
	for _, args := range strangeArgs() {
		assert.Equal(t, args, childArgs(t, selfCmd("args", args...)))
	}
}

func TestArgsThroughWrappers(t *testing.T) {
	onlyUnix(t, "no env and no sh")
	noLeaks(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	words := append(strings.Fields(os.Getenv("VIADUCT_TEST_EXEC")), exe, Here, "helper:args")
	for name, wrapper := range map[string][]string{
		"env":  {"env", "-i", "A=B"},
		"sh":   {"sh", "-c", `exec "$@"`, "sh"},
		"both": {"env", "sh", "-c", `exec "$@"`, "sh", "env"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range strangeArgs() {
				line := append(append(append([]string(nil), wrapper...), words...), args...)
				assert.Equal(t, args, childArgs(t, exec.Command(line[0], line[1:]...)))
			}
		})
	}
}

// A shell that stays in between is no child of ours, and hands on what it has.
func TestWrapperThatStays(t *testing.T) {
	onlyUnix(t, "no sh; cmd has a test of its own")
	noLeaks(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	line := append([]string{"-c", `"$@"; exit 5`, "sh"}, strings.Fields(os.Getenv("VIADUCT_TEST_EXEC"))...)
	p := startChild(t, exec.Command("sh", append(line, exe, Here, "helper:echo")...), nil)
	assert.NotEqual(t, p.Pid(), p.Link().Remote().Pid)
	echo(t, p, "moo")
	exit := p.Stop()
	assert.Equal(t, 5, exit.Code)
	assert.Equal(t, StepCloseLink, exit.Step)
}

// The caller finds his Cmd as he wrote it.
func TestCmdIsLeftAlone(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	room := append(make([]string, 0, 10), cmd.Args...)
	files := make([]*os.File, 1, 10)
	if runtime.GOOS == "windows" { // which has none
		files = files[:0]
	}
	cmd.Args, cmd.ExtraFiles = room, files
	cmd.Stdin, cmd.Stdout = strings.NewReader(""), io.Discard
	text := cmd.String()
	p := startChild(t, cmd, nil)
	assert.Equal(t, text, cmd.String())
	assert.Equal(t, room, cmd.Args)
	assert.Empty(t, room[len(room) : len(room)+1][0], "written behind the caller's arguments")
	assert.Len(t, cmd.ExtraFiles, len(files))
	assert.Nil(t, files[:2][1], "written behind the caller's files")
	assert.Nil(t, cmd.SysProcAttr)
	assert.IsType(t, &strings.Reader{}, cmd.Stdin)
	assert.Equal(t, io.Discard, cmd.Stdout)
	assert.Nil(t, cmd.Stderr)
	p.Stop()
	assert.NotNil(t, cmd.ProcessState)
}

func TestEmptyArgs(t *testing.T) {
	onlyUnix(t, "no echo")
	noLeaks(t)
	// Without a helper's name the test binary would run the tests: any other program shows that
	// Args begins with Path.
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	sh, err := exec.LookPath("echo")
	require.NoError(t, err)
	_, err = Start(t.Context(), &exec.Cmd{Path: sh, Stdout: w}, nil)
	w.Close()
	require.Error(t, err)
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "viaduct.1 fd:3,4,5\n", string(out))
}
