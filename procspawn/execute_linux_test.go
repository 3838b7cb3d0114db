package procspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In init, as it is the thread of the program's main that has the signal.
func init() {
	if len(os.Args) > 1 && os.Args[1] == "helper:executes itself" && IsChild() && len(os.Args) == 2 {
		must(syscall.Exec("/proc/self/exe", append(slices.Clone(os.Args), "again"), os.Environ()))
	}
}

// The executes itself helper is what has been executed.
var _ = helper("executes itself", func([]string) {
	_, serr := Start(context.Background(), exec.Command("true"), nil)
	_, err := Inherited(context.Background(), nil)
	fmt.Fprintln(os.Stderr, IsChild(), errors.Is(serr, ErrUnconnected), err)
	os.Exit(7)
})

// TestChildExecutesItself: a child that executes itself before it connects does not take itself for
// a parent, and says what is wrong.
func TestChildExecutesItself(t *testing.T) {
	noLeaks(t)
	_, err := Start(t.Context(), selfCmd("executes itself"), nil)
	var failed *StartError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, 7, failed.Exit.Code)
	assert.Contains(t, string(failed.Exit.Stderr), "true true procspawn: the link to the parent cannot be used: this program was executed in the place of the child")
}

// TestShellExecutes: a program that a shell executes without what names the link is an ordinary one,
// which may use the link in its own way.
func TestShellExecutes(t *testing.T) {
	self := selfCmd("is a child")
	cmd := exec.Command("sh", append([]string{"-c", `shift 2; exec "$@"`, "sh", Here, self.Path}, self.Args[1:]...)...)
	_, err := Start(t.Context(), cmd, nil)
	var failed *StartError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "false\n", string(failed.Exit.Stdout))
}

// The is a child helper says whether it takes itself for one.
var _ = helper("is a child", func([]string) { fmt.Println(IsChild()) })

// TestChildStartsPrograms: the programs that a child starts are ordinary ones, and so are those
// that somebody else ties to the life of their parent.
func TestChildStartsPrograms(t *testing.T) {
	p := startChild(t, selfCmd("starts a program"), nil)
	expect(t, p, "false\n")
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "helper:is a child")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, "false\n", string(out))
}

var _ = helper("starts a program", func([]string) {
	l := connect(nil)
	self, err := os.Executable()
	must(err)
	out, err := exec.Command(self, "helper:is a child").Output()
	must(err)
	l.Write(out)
	l.Read(make([]byte, 1))
})
