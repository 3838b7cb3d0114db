package rpcpipe_test

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// nursery starts children that are no processes: peers with a Task each, for tests in a bubble.
type nursery struct {
	before func(ctx context.Context, n int) error // a start; may be nil

	mu       sync.Mutex
	children []*infant
	paths    []string // of their Cmds
	starts   []time.Time
	ran      []int // ids of the tasks that ran, in all children
}

// infant is a child of a nursery.
type infant struct {
	peer  *rpcpipe.Peer // at its end
	conn  net.Conn
	n     *nursery
	born  int // its number, from 0
	hold  chan struct{}
	taken chan struct{}
}

// crash ends it without a word.
func (i *infant) crash() { i.conn.Close() }

// deafen has it read no more when it has read so many bytes.
func (i *infant) deafen(n int64) { i.conn.(*deafConn).left.Store(n) }

// deafConn is a connection whose reader can be held up.
type deafConn struct {
	net.Conn
	left   atomic.Int64 // bytes until it is; 0: it never is
	closed context.Context
	close  context.CancelFunc
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Load() > 0 && c.left.Add(int64(-n)) <= 0 {
		<-c.closed.Done()
	}
	return n, err
}

func (c *deafConn) Close() error {
	c.close()
	return c.Conn.Close()
}

// Task is what infants serve.
type Task struct{ *infant }

func (t Task) Run(id int, child *int) error {
	t.n.mu.Lock()
	t.n.ran = append(t.n.ran, id)
	t.n.mu.Unlock()
	*child = t.born
	return nil
}

// Take takes something large, and Taken waits for it.
func (t Task) Take([]byte, *int) error   { close(t.taken); return nil }
func (t Task) Taken(_ int, _ *int) error { <-t.taken; return nil }

// Hold runs until its child has leave.
func (t Task) Hold(id int, child *int) error {
	t.Run(id, child)
	<-t.hold
	return nil
}

// Die ends its child.
func (t Task) Die(id int, child *int) error {
	t.Run(id, child)
	t.crash()
	<-t.hold
	return nil
}

func (n *nursery) start(ctx context.Context, cmd *exec.Cmd, opts *rpcpipe.Options) (*rpcpipe.Peer, error) {
	n.mu.Lock()
	number := len(n.starts)
	n.starts = append(n.starts, time.Now())
	n.paths = append(n.paths, cmd.Path)
	before := n.before
	n.mu.Unlock()
	if before != nil {
		if err := before(ctx, number); err != nil {
			return nil, err
		}
	}
	a, raw := net.Pipe()
	b := &deafConn{Conn: raw}
	b.closed, b.close = context.WithCancel(context.Background())
	i := &infant{conn: b, n: n, born: number, hold: make(chan struct{}), taken: make(chan struct{})}
	server := rpc.NewServer()
	server.Register(Task{i})
	up := make(chan error, 1)
	go func() {
		var err error
		i.peer, err = rpcpipe.New(context.Background(), b, &rpcpipe.Options{Server: server, Encoding: opts.Encoding})
		up <- err
	}()
	p, err := rpcpipe.New(ctx, a, opts)
	if err := errors.Join(err, <-up); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.children = append(n.children, i)
	n.mu.Unlock()
	return p, nil
}

// latest is the child that was started last.
func (n *nursery) latest() *infant {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.children[len(n.children)-1]
}

// runs counts how often the task id has run.
func (n *nursery) runs(id int) (times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.ran {
		if r == id {
			times++
		}
	}
	return times
}

// release lets all that holds go on, in all children, so that a bubble can end.
func (n *nursery) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range n.children {
		select {
		case <-i.hold:
		default:
			close(i.hold)
		}
	}
}

func named(path string) func(rpcpipe.Incarnation) (*exec.Cmd, error) {
	return func(rpcpipe.Incarnation) (*exec.Cmd, error) { return &exec.Cmd{Path: path}, nil }
}

func (n *nursery) supervise(t *testing.T, o *rpcpipe.SuperviseOptions) *rpcpipe.Supervisor {
	t.Helper()
	s, err := rpcpipe.SuperviseWith(t.Context(), n.start, named("one"), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.release()
		s.Close()
		s.Wait()
	})
	return s
}

// journal of events.
type story struct {
	mu   sync.Mutex
	list []rpcpipe.Event
}

func (s *story) add(e rpcpipe.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, e)
}

func (s *story) kinds() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		list = append(list, e.Kind.String())
	}
	return list
}

func (s *story) all() []rpcpipe.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]rpcpipe.Event(nil), s.list...)
}
