package child

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
)

// ready is what a child prints when it listens.
const ready = "ready\n"

var sockets atomic.Int64

// NewSocket returns a path for a unix socket.
func NewSocket() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("bench-%d-%d", os.Getpid(), sockets.Add(1)))
}

// StartSocket starts cmd as a child that listens on the unix socket whose path it gets as its last
// argument. It returns when the child listens.
func StartSocket(cmd *exec.Cmd) (c *Child, path string, err error) {
	path = NewSocket()
	cmd.Args = append(cmd.Args, path)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if c, err = start(cmd); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil && line != ready {
		err = fmt.Errorf("the child prints %q", line)
	}
	if err != nil {
		c.End()
		return nil, "", fmt.Errorf("the child does not listen: %w", err)
	}
	return c, path, nil
}

// Dial starts cmd as StartSocket does, and connects to it.
func Dial(cmd *exec.Cmd) (*Child, net.Conn, error) {
	c, path, err := StartSocket(cmd)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		c.End()
		return nil, nil, err
	}
	os.Remove(path) // nobody else is to connect
	return c, conn, nil
}

// Listen listens where the parent has said, and tells it.
func Listen() (net.Listener, error) {
	lifeline.Watch()
	path, err := Socket()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	_, err = os.Stdout.WriteString(ready)
	return l, err
}

// Socket returns the path that the parent has given.
func Socket() (string, error) {
	if len(os.Args) < 4 {
		return "", errors.New("the child was given no socket")
	}
	return os.Args[len(os.Args)-1], nil
}
