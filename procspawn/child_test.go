package procspawn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

// The claim helper prints what it makes of its sentinel and arguments.
var _ = helper("claim", func(args []string) {
	_, err := Inherited(context.Background(), &Options{HandshakeTimeout: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it would start the tests again
	_, serr := Start(ctx, Self(), nil)
	fmt.Printf("%t %q %t %v\n", IsChild(), args, errors.Is(serr, ErrUnconnected), err)
})

// A sentinel whose descriptors are not what it says.
func TestBadDescriptors(t *testing.T) {
	onlyUnix(t, "handles are another test's")
	noLeaks(t)
	file, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer file.Close()
	dir, err := os.Open(".")
	require.NoError(t, err)
	defer dir.Close()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer closeAll(r, w)
	tests := []struct {
		words string
		files []*os.File
		want  []string
	}{
		{"viaduct.1 fd:983,984", nil, []string{"descriptor 983 (the link's read end) is not open, and descriptor 984 (the link's write end) is not open"}},
		{"viaduct.1 fd:3,984", []*os.File{r}, []string{": descriptor 984 (the link's write end) is not open"}},
		{"viaduct.1 fd:3,4", []*os.File{file, w}, []string{": descriptor 3 (the link's read end) is a regular file, not a pipe"}},
		{"viaduct.1 fd:3,4", []*os.File{r, dir}, []string{": descriptor 4 (the link's write end) is a directory, not a pipe"}},
		{"viaduct.1 fd:3,4", []*os.File{r, null}, []string{"descriptor 4 (the link's write end) is a character device, not a pipe"}},
		{"viaduct.1 fd:3,4", []*os.File{w, r}, []string{"descriptor 3 (the link's read end) is a pipe that is not open to read", "swapped"}},
		{"viaduct.1 fd:3,4", []*os.File{r, r}, []string{"descriptor 4 (the link's write end) is a pipe that is not open to write"}},
		{"viaduct.1 fd:3,3", []*os.File{r}, []string{"fd:3,3 was found, fd:R,W", "different"}},
		{"viaduct.1 fd:1,2", nil, []string{"fd:1,2 was found"}},
		{"viaduct.1 fd:x", nil, []string{"fd:x was found"}},
		{"viaduct.2 fd:3,4", []*os.File{r, w}, []string{"version 2 of the sentinel, this program knows version 1"}},
		{"viaduct.1 fd:3,4", []*os.File{r, w}, []string{"handshake with the parent: our own hello came back"}},
	}
	for _, tt := range tests {
		cmd := exec.Command(os.Args[0], append(append([]string{"helper:claim"}, strings.Fields(tt.words)...), "x", "")...)
		cmd.ExtraFiles = tt.files
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		require.NoError(t, err, tt.words)
		assert.Contains(t, string(out), `true ["x" ""] true procspawn: `, tt.words)
		for _, want := range tt.want {
			assert.Contains(t, string(out), want, tt.words)
		}
	}
	for _, words := range []string{"", "viaduct.1", "viaduct.1 fd", "viaduct.x fd:3,4"} {
		out, err := exec.Command(os.Args[0], append([]string{"helper:claim"}, strings.Fields(words)...)...).Output()
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("false %q false %v\n", strings.Fields(words), ErrNotChild), string(out))
	}
}

var _ = helper("second", func([]string) {
	l := connect(nil)
	_, err := Inherited(context.Background(), nil)
	fmt.Fprintln(l, err)
})

func TestInheritedTwice(t *testing.T) {
	noLeaks(t)
	p := startChild(t, selfCmd("second"), nil)
	b, _ := readLink(p.Link())
	assert.Contains(t, string(b), "was called a second time")
	p.Stop()
}

// The family helper is a parent to be killed: it starts the helper of its arguments with the test's
// pipe as passedFile, and says its pid.
var _ = helper("family", func(args []string) {
	cmd := selfCmd(args[0], args[1:]...)
	passFile(nil, cmd, passedFile())
	if args[0] == "unconnected" {
		// Start would wait for a hello.
		p, err := launch(cmd, nil)
		must(err)
		fmt.Println(p.Pid())
	} else {
		p, err := Start(context.Background(), cmd, nil)
		must(err)
		go io.Copy(io.Discard, p.Link())
		fmt.Println(p.Pid())
	}
	select {}
})

// The widow helpers tell the test by passedFile what they see.
var _ = helper("widow", func(args []string) {
	out := passedFile()
	var opts *Options
	if len(args) > 0 && args[0] == "short" {
		opts = &Options{ExitTimeout: 500 * time.Millisecond}
	}
	if len(args) > 0 && args[0] == "never" {
		opts = &Options{ExitTimeout: -1}
	}
	l := connect(opts)
	_, err := io.Copy(io.Discard, l)
	var exit *Exit
	fmt.Fprintln(out, errors.As(err, &exit) && exit.Parent && exit.Pid == l.Remote().Pid, err)
	for err = nil; err == nil; { // of the parent's two ends one is closed later
		_, err = l.Write([]byte{1})
	}
	fmt.Fprintln(out, errors.As(err, &exit) && exit.Parent)
	l.Close() // as layers above do; it changes nothing
	// The pipe of family's stdout is broken: this must not kill us.
	_, err = fmt.Println("into the void")
	fmt.Fprintln(out, err)
	if len(args) > 0 && args[0] == "never" {
		time.AfterFunc(1200*time.Millisecond, func() { os.Exit(0) })
		fmt.Fprintln(out, "lives on")
	}
	if len(args) > 0 && args[0] == "spin" {
		for spin := 0; ; spin++ { // no system call, no function call
		}
	}
	select {}
})

var _ = helper("unconnected", func([]string) {
	fmt.Fprintln(passedFile(), "ready")
	select {}
})

// orphan starts a family, kills its parent when the child has begun, and returns what the child
// wrote and how long it lived on, but for what the load of the machine may have added beyond the
// limit.
func orphan(t *testing.T, limit time.Duration, args ...string) (out string, took time.Duration) {
	t.Helper()
	r, w, err := pipes.NewOut()
	require.NoError(t, err)
	defer r.Close()
	self := selfCmd("family", args...)
	self.Args = without(self.Args, Here)
	passFile(t, self, w)
	self.Stderr = os.Stderr
	stdout, err := self.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, self.Start())
	w.Close()
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	in := bufio.NewReader(r)
	if args[0] == "unconnected" {
		_, err = in.ReadString('\n')
		require.NoError(t, err)
	}
	stdout.Close() // breaks the child's stdout, if it has it

	require.NoError(t, self.Process.Kill())
	busy := watchLoad()
	killed := time.Now()
	self.Wait()
	// The pipe's end comes when the child is gone.
	r.SetReadDeadline(time.Now().Add(limit + 10*time.Second))
	b, err := io.ReadAll(in)
	require.NoError(t, err, "the child lives")
	took = time.Since(killed)
	if took > limit {
		took -= min(busy(), took-limit)
	} else {
		busy()
	}
	return string(b), took
}

func without(list []string, what string) []string {
	var kept []string
	for _, s := range list {
		if s != what {
			kept = append(kept, s)
		}
	}
	return kept
}

func TestParentKilled(t *testing.T) {
	waits(t)
	for _, tt := range []struct {
		args       []string
		min, limit time.Duration
	}{
		{[]string{"widow"}, 500 * time.Millisecond, time.Second},
		{[]string{"widow", "spin"}, 500 * time.Millisecond, time.Second},
		{[]string{"widow", "short"}, 250 * time.Millisecond, 500 * time.Millisecond},
		{[]string{"widow", "never"}, 1200 * time.Millisecond, 2 * time.Second},
		{[]string{"unconnected"}, 500 * time.Millisecond, time.Second},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			out, took := orphan(t, tt.limit, tt.args...)
			for try := 1; try < 3 && took > slack(tt.limit); try++ {
				// The load that other processes see is not ours.
				out, took = orphan(t, tt.limit, tt.args...)
			}
			assert.GreaterOrEqual(t, took, tt.min)
			assert.LessOrEqual(t, took, slack(tt.limit))
			if tt.args[0] == "unconnected" {
				assert.Empty(t, out)
				return
			}
			lines := strings.Split(out, "\n")
			assert.Regexp(t, `^true parent \d+ is gone$`, lines[0])
			assert.Equal(t, "true", lines[1])
			if len(tt.args) > 1 && tt.args[1] == "never" {
				assert.Equal(t, "lives on", lines[3])
			}
		})
	}
}
