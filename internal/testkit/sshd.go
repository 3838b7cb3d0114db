package testkit

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

	"github.com/stretchr/testify/require"
)

// StartSSHD starts an sshd of the test's own on loopback, and returns the command that runs a
// program behind it.
func StartSSHD(t testing.TB) []string {
	t.Helper()
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
	return strings.Fields(fmt.Sprintf("ssh -F none -T -p %d -i %s/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes 127.0.0.1", port, dir))
}
