package main

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal returns both sides of one: where its user reads, and what a program has.
func terminal(t *testing.T) (user, program *os.File) {
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { user.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { program.Close() })
	return user, program
}

// TestProgress: it is one line, on a terminal alone.
func TestProgress(t *testing.T) {
	user, program := terminal(t)
	progress(program, 1, 5)
	progress(program, 5, 5)
	const want = "\r[==========                                        ] 1 of 5" +
		"\r[==================================================] 5 of 5\r\n"
	got := make([]byte, len(want))
	_, err := io.ReadFull(user, got) // the system hands it over bit by bit
	require.NoError(t, err)
	assert.Equal(t, want, string(got))

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	progress(w, 5, 5)
	w.WriteString("else")
	w.Close()
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "else", string(rest))
}
