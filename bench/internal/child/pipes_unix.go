//go:build unix

package child

import (
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
)

// MaxLinks is how many links a child can have.
const MaxLinks = 2

// Link is one end of a pair of pipes.
type Link struct{ in, out *os.File }

// Read reads from the other side.
func (l *Link) Read(p []byte) (int, error) { return l.in.Read(p) }

// Write writes to the other side.
func (l *Link) Write(p []byte) (int, error) { return l.out.Write(p) }

// Close closes this end.
func (l *Link) Close() error {
	l.in.Close()
	return l.out.Close()
}

// StartLinks starts cmd as a child with so many links to it.
func StartLinks(cmd *exec.Cmd, n int) (*Child, []io.ReadWriteCloser, error) {
	var links []io.ReadWriteCloser
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	closeLinks := func() {
		for _, l := range links {
			l.Close()
		}
	}
	for range n {
		theirIn, out, err := os.Pipe()
		if err != nil {
			closeLinks()
			return nil, nil, err
		}
		in, theirOut, err := os.Pipe()
		if err != nil {
			theirIn.Close()
			out.Close()
			closeLinks()
			return nil, nil, err
		}
		theirs = append(theirs, theirIn, theirOut)
		links = append(links, &Link{in, out})
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs...)
	c, err := start(cmd)
	if err != nil {
		closeLinks()
		return nil, nil, err
	}
	return c, links, nil
}

// Inherited returns a child's end of link i.
func Inherited(i int) (io.ReadWriteCloser, error) {
	lifeline.Watch()
	var ends [2]*os.File
	for side := range ends {
		fd := 3 + 2*i + side
		// Package os/exec hands descriptors over in blocking mode. Left so, each read would hold a
		// thread, and waking that costs several times as much as waking a goroutine.
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, err
		}
		syscall.CloseOnExec(fd)
		ends[side] = os.NewFile(uintptr(fd), "link")
	}
	return &Link{ends[0], ends[1]}, nil
}
