package main

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// Played is what has come of a scene.
type Played struct {
	Worked, Failed int    // attempts
	Error          string // the first
	Figures        map[string]int
	Found          []Finding
}

// stage is a scene that is played, in a process of its own.
type stage struct {
	*Played
	crowdSize int
}

// Scene is the service of that process.
type Scene struct{ scene scene }

// perform is the life of such a process.
func perform(number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(&Scene{scenes()[n]}); err != nil {
		return err
	}
	p, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Server: server})
	if err != nil {
		return err
	}
	p.Wait()
	return nil
}

// Play plays the scene. Behind it all must be as before, and nothing be left.
func (sc *Scene) Play(arg Data, reply *Played) error {
	s := &stage{Played: reply, crowdSize: arg.N}
	reply.Figures = make(map[string]int)
	if err := s.attempt(nil); err != nil { // before, which also starts what stays
		s.found("wrong answer", "before: %v", err)
	}
	before := rpctest.TakeCensus()
	sc.scene.play(s)
	if err := s.attempt(nil); err != nil {
		s.found("wrong answer", "behind it: %v", err)
	}
	for _, left := range before.Left() {
		s.found("left behind", "%s", left)
	}
	return nil
}

func (s *stage) found(kind, format string, args ...any) {
	s.Found = append(s.Found, Finding{kind, fmt.Sprintf(format, args...)})
}

// sees notes what an attempt has come to. An error has to say which of the system's it was.
func (s *stage) sees(err error) {
	var number syscall.Errno
	if err != nil && s.Error == "" {
		s.Error = err.Error()
	}
	switch {
	case err == nil:
		s.Worked++
	case errors.As(err, &number), typed(err):
		s.Failed++
	default:
		s.Failed++
		s.found("unknown error", "%T: %v", err, err)
	}
}

// attempt starts a child, has it answer a call and a stream, and ends it. Nil means one that serves.
func (s *stage) attempt(cmd *exec.Cmd) error { return s.attemptWith(cmd, options()) }

func (s *stage) attemptWith(cmd *exec.Cmd, opts *rpcpipe.Options) error {
	if cmd == nil {
		cmd = procspawn.Self("rest")
	}
	p, err := rpcpipe.Start(context.Background(), cmd, opts)
	if err != nil {
		return err
	}
	defer p.Wait()
	defer p.Close()
	return s.use(p, 100_000)
}

// use calls, sends and streams.
func (s *stage) use(p *rpcpipe.Peer, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var reply Data
	err := p.CallContext(ctx, "Service.Echo", &Data{N: 7, Bytes: make([]byte, size)}, &reply)
	if err == nil && (reply.N != 7 || len(reply.Bytes) != size) {
		s.found("wrong answer", "Echo of %d bytes", size)
	}
	if err == nil {
		err = p.Notify(ctx, "Service.Note", &Data{})
	}
	if err != nil {
		return err
	}
	c, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return through(ctx, c, 20_000)
}

// limit sets the soft limit of a resource, and returns what sets it back.
func (s *stage) limit(resource int, to uint64) (back func()) {
	var old syscall.Rlimit
	err := syscall.Getrlimit(resource, &old)
	if err == nil {
		err = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: min(to, old.Max), Max: old.Max})
	}
	if err != nil {
		s.found("unknown error", "setrlimit: %v", err)
	}
	return func() { syscall.Setrlimit(resource, &old) }
}

// highest returns the highest descriptor that is open.
func highest() (fd int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 1000
	}
	for _, e := range entries {
		// That of the directory itself is gone by now.
		if _, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			n, _ := strconv.Atoi(e.Name())
			fd = max(fd, n)
		}
	}
	return fd
}
