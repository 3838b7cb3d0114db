//go:build unix

package procspawn

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The signalled helper echoes, whatever the terminal says; with "own" it sends what it hears of
// SIGINT, with "plain" it wants to die of it, with "close" it closes its link first, with "child"
// it says how a program that it has started has died of it, with "grandchild" whether one survives
// it.
var _ = helper("signalled", func(args []string) {
	switch args[0] {
	case "plain":
		io.Copy(connect(&Options{DieOnInterrupt: true}), nothing{})
	case "own":
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		l := connect(nil)
		io.WriteString(l, "ready")
		<-c
		signal.Stop(c) // which is not ours
		io.WriteString(l, "heard")
		io.Copy(l, l)
	case "close":
		l := connect(nil)
		io.WriteString(l, "ready")
		l.Read(make([]byte, 1))
		l.Close()
		syscall.Kill(os.Getpid(), syscall.SIGINT)
		select {}
	case "child":
		l := connect(nil)
		io.WriteString(l, exec.Command("sh", "-c", "kill -INT $$").Run().Error())
		io.Copy(l, l)
	case "grandchild":
		l := connect(nil)
		out, _ := exec.Command("sh", "-c", "kill -INT $$; printf survived").Output()
		l.Write(append(out, "; died"...))
		io.Copy(l, l)
	}
})

// nothing is never ready.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { select {} }

func TestTerminalSignals(t *testing.T) {
	t.Run("linked", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("echo"), nil)
		for range 10 {
			for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGHUP} {
				require.NoError(t, p.cmd.Process.Signal(sig))
				echo(t, p, "alive")
			}
		}
		assert.Equal(t, 0, p.Stop().Code)
	})
	t.Run("the child's own Notify", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("signalled", "own"), nil)
		expect(t, p, "ready")
		require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
		expect(t, p, "heard")
		require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
		echo(t, p, "alive")
	})
	t.Run("turned off", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("signalled", "plain"), nil)
		require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
		<-p.Done()
		assert.Equal(t, os.Interrupt, p.Exit().Signal)
		assert.Equal(t, BySignal, p.Exit().By)
	})
	t.Run("no longer linked", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("signalled", "close"), nil)
		expect(t, p, "ready")
		io.WriteString(p.Link(), "x")
		<-p.Done()
		assert.Equal(t, os.Interrupt, p.Exit().Signal)
	})
	t.Run("its own children", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("signalled", "child"), nil)
		expect(t, p, "signal: interrupt")
	})
	t.Run("already ignored", func(t *testing.T) {
		noLeaks(t)
		self := selfCmd("signalled", "grandchild")
		p := startChild(t, exec.Command("sh", append([]string{"-c", `trap "" INT; exec "$@"`, "sh", self.Path, Here}, self.Args[1:]...)...), nil)
		expect(t, p, "survived") // as it would without viaduct
	})
}
