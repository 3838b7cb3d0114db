package procspawn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSSH: the child runs behind a real sshd.
func TestSSH(t *testing.T) {
	noLeaks(t)
	ssh := startSSHD(t)
	remote := append(strings.Fields(ssh), selfCmd("chatty").Path, Here, "helper:chatty")
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

// startSSHD starts an sshd of the test's own on loopback, and returns the command that runs a
// program behind it.
func startSSHD(t *testing.T) string {
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if _, e := exec.LookPath("ssh"); err != nil || e != nil {
		if os.Getenv("VIADUCT_MUST_RUN") != "" {
			t.Fatal("no sshd or ssh: install openssh-server and openssh-client")
		}
		t.Skip("no sshd or ssh: install openssh-server and openssh-client")
	}
	dir := t.TempDir()
	for _, name := range []string{"host", "user"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir+"/"+name).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	key, err := os.ReadFile(dir + "/user.pub")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/authorized", key, 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	config := fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\n", port, dir, dir)
	require.NoError(t, os.WriteFile(dir+"/config", []byte(config), 0o600))
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // sshd's own condition
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, sshd, "-D", "-e", "-f", dir+"/config")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { stop(); cmd.Wait() })
	up, said := make(chan bool, 1), new(bytes.Buffer)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := log.Read(buf)
			said.Write(buf[:n])
			if strings.Contains(said.String(), "Server listening") || err != nil {
				up <- err == nil
				io.Copy(io.Discard, log)
				return
			}
		}
	}()
	if !<-up {
		t.Fatalf("sshd: %s", said)
	}
	return fmt.Sprintf("ssh -F none -T -p %d -i %s/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes 127.0.0.1", port, dir)
}
