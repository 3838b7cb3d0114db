package procspawn

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestSSH: the child runs behind a real sshd.
func TestSSH(t *testing.T) {
	waits(t)
	remote := append(testkit.StartSSHD(t), selfCmd("chatty").Path, Here, "helper:chatty")
	p := startChild(t, exec.Command(remote[0], remote[1:]...), stdio1)
	echo(t, p, "hello")
	echo(t, p, strings.Repeat("long", 100000))
	assert.NotEqual(t, p.Pid(), p.Link().Remote().Pid)
	exit := p.Stop()
	assert.Contains(t, string(exit.Stderr), "before\nafter\nstdin: \"\" <nil>\n")
	assert.Equal(t, 0, exit.Code)
	assert.Equal(t, StepCloseLink, exit.Step)

	// It knows when its parent is gone, and exits.
	remote[len(remote)-1] = "helper:echo"
	p = startChild(t, exec.Command(remote[0], remote[1:]...), stdio1)
	echo(t, p, "hello")
	child, err := os.FindProcess(p.Link().Remote().Pid)
	require.NoError(t, err)
	defer child.Release()
	require.NoError(t, p.cmd.Process.Kill())
	<-p.Done()
	within(t, time.Second, "the end of the remote child", func() { awaitGone(t, child) })

	// What ssh has to say is in the error.
	remote[len(remote)-3] = "/no/such/program"
	_, err = Start(t.Context(), exec.Command(remote[0], remote[1:]...), stdio1)
	require.ErrorContains(t, err, "exit status 127")
	require.ErrorContains(t, err, "no/such/program")
}
