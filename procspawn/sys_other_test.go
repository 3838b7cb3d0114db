//go:build !unix && !windows

package procspawn

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
)

func openFiles() []string { return nil }

func haveChildren() bool { return false }

func TestStartIsUnsupported(t *testing.T) {
	_, err := Start(context.Background(), selfCmd("echo"), nil)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

func onlyUnix(t testing.TB, why string) {
	t.Helper()
	t.Skip("only on Unix: " + why)
}

// There are no children here, so the tests never get to what follows.

const terminates = false

func passFile(testing.TB, *exec.Cmd, *os.File) {}
func passedFile() *os.File                     { return nil }
func abort()                                   {}
func assertKilled(*testing.T, *Exit)           {}
