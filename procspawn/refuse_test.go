package procspawn

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusals are reasons for Start to refuse a Cmd before package os/exec is asked. Each breaks a Cmd
// or says how to start it, and what it returns mends the Cmd. A nil one: the context has ended.
var refusals = map[string]func(t *testing.T, cmd *exec.Cmd) (opts *Options, mend func()){
	"context": nil,
	"Env":     func(_ *testing.T, cmd *exec.Cmd) (*Options, func()) { return &Options{Env: []string{"="}}, func() {} },
	"versions": func(_ *testing.T, cmd *exec.Cmd) (*Options, func()) {
		return &Options{MinVersion: "2", MaxVersion: "1"}, func() {}
	},
	"standard input with Stdio": func(_ *testing.T, cmd *exec.Cmd) (*Options, func()) { return &Options{Stdio: true}, func() {} },
	"Here twice": func(_ *testing.T, cmd *exec.Cmd) (*Options, func()) {
		args := cmd.Args
		cmd.Args = append(append([]string{}, args...), Here, Here)
		return nil, func() { cmd.Args = args }
	},
	"directory": func(_ *testing.T, cmd *exec.Cmd) (*Options, func()) {
		cmd.Dir = "/no/such"
		return nil, func() { cmd.Dir = "" }
	},
}

// The streams helper sends what comes through its standard input, and then prints to stderr.
var _ = helper("streams", func([]string) {
	l := connect(nil)
	io.Copy(l, os.Stdin)
	io.WriteString(os.Stderr, "printed")
	l.Read(make([]byte, 1))
})

// TestRefusedStart: a Cmd that is refused is as it was, its pipes included, and can be used again.
func TestRefusedStart(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, breaks := range refusals {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			cmd := selfCmd("streams")
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			ctx, opts, mend := over, (*Options)(nil), func() {}
			if breaks != nil {
				ctx = t.Context()
				opts, mend = breaks(t, cmd)
			}
			before := *cmd
			for range 2 {
				_, err = Start(ctx, cmd, opts)
				require.Error(t, err)
				require.NotContains(t, err.Error(), "already started")
				assert.True(t, reflect.DeepEqual(before, *cmd), "the Cmd has changed")
			}
			mend()
			p := startChild(t, cmd, nil)
			io.WriteString(stdin, "read")
			require.NoError(t, stdin.Close())
			expect(t, p, "read")
			printed := make([]byte, len("printed"))
			_, err = io.ReadFull(stderr, printed)
			require.NoError(t, err)
			assert.Equal(t, "printed", string(printed))
			p.Stop()
		})
	}
}

// TestFailedStart: the system refuses to start the program. Nothing is left of the Cmd's pipes, and
// the error of a second attempt does not blame the program.
func TestFailedStart(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	_, err := cmd.StderrPipe()
	require.NoError(t, err)
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	cmd.Path = "/no/such"
	_, err = Start(t.Context(), cmd, nil)
	require.Error(t, err)
	require.NoError(t, cmd.Err)
	require.False(t, errors.As(err, new(*StartError)))
}
