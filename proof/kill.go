package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// patience is how long something may take that takes milliseconds, before it counts as a hang: the
// machine may be busy.
const patience = 30 * time.Second

// killAll kills processes.
func killAll(t *trials) {
	// Orphans become children of this process, so that it sees them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.found("unknown error", "prctl: %v", err)
		return
	}
	ways := []struct {
		name string
		kill func(*trials, *rand.Rand)
	}{
		{"children", killChild},
		{"children", killChild},
		{"children that start", killStart},
		{"children that shut down", killShutdown},
		{"parents", killParent},
	}
	before := rpctest.TakeCensus()
	for i := range t.trials {
		way := ways[i%len(ways)]
		way.kill(t, t.random(i))
		t.figures["killed "+way.name]++
		for _, left := range before.Left() {
			t.found("left behind", "%s: %s", way.name, left)
		}
		t.next()
	}
}

// within reports a hang if done is not closed in time.
func within(t *trials, done <-chan struct{}, what string) bool {
	select {
	case <-done:
		return true
	case <-time.After(patience):
		t.found("hang", "%s", what)
		return false
	}
}

// finish waits for the end of all that has to do with p.
func finish(t *trials, p *rpcpipe.Peer, l *load, what string) {
	if !within(t, l.done, what+": calls") {
		return
	}
	l.report(t)
	waited := make(chan struct{})
	go func() {
		p.Wait()
		close(waited)
	}()
	within(t, waited, what+": Wait")
}

// startLoaded starts a child and keeps the link busy.
func startLoaded(t *trials, r *rand.Rand) (*rpcpipe.Peer, *load) {
	p, err := rpcpipe.Start(context.Background(), serving(), options())
	if err != nil {
		t.found("unknown error", "start: %v", err)
		return nil, nil
	}
	go echoStreams(p)
	return p, loadOn(p, 8, r.Uint64())
}

// killChild kills a child while both sides work.
func killChild(t *trials, r *rand.Rand) {
	p, l := startLoaded(t, r)
	if p == nil {
		return
	}
	<-time.After(time.Duration(r.IntN(30_000)) * time.Microsecond)
	syscall.Kill(p.Process().Pid(), syscall.SIGKILL)
	finish(t, p, l, "a child was killed")
	if exit := p.Process().Exit(); exit == nil || exit.Signal != syscall.SIGKILL {
		t.found("wrong answer", "a child was killed: its Exit is %v", exit)
	}
}

// killStart kills a child before it has connected, or a little later.
func killStart(t *trials, r *rand.Rand) {
	after := time.Duration(r.IntN(8000)) * time.Microsecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(after, cancel)
	defer timer.Stop()
	cmd := serving()
	cmd = exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...) // which kills it when ctx ends
	p, err := rpcpipe.Start(context.Background(), cmd, options())
	if err != nil {
		if !known(err) {
			t.found("unknown error", "start of one that is killed: %v", err)
		}
		return
	}
	l := loadOn(p, 2, r.Uint64())
	go echoStreams(p)
	finish(t, p, l, "a child was killed as it started")
}

// killShutdown kills a child that is about to end in order.
func killShutdown(t *trials, r *rand.Rand) {
	p, l := startLoaded(t, r)
	if p == nil {
		return
	}
	<-time.After(time.Duration(r.IntN(5000)) * time.Microsecond)
	down := make(chan struct{})
	go func() {
		defer close(down)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.Shutdown(ctx)
	}()
	<-time.After(time.Duration(r.IntN(5000)) * time.Microsecond)
	p.Process().Kill()
	within(t, down, "Shutdown of a child that is killed")
	finish(t, p, l, "a child was killed in its shutdown")
}

// killParent kills a parent, whose child has to end.
func killParent(t *trials, r *rand.Rand) {
	pid := make(chan int, 1)
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("middle", fmt.Sprint(r.Uint64())), toldOptions(pid))
	if err != nil {
		t.found("unknown error", "start: %v", err)
		return
	}
	defer p.Close()
	var grandchild int
	select {
	case grandchild = <-pid:
	case <-p.Done():
		t.found("unknown error", "the parent that is to be killed: %v", p.Wait())
		return
	}
	<-time.After(time.Duration(r.IntN(30_000)) * time.Microsecond)
	syscall.Kill(p.Process().Pid(), syscall.SIGKILL)
	p.Wait()
	// It is this process's child by now, or gone.
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			_, err := syscall.Wait4(grandchild, nil, 0, nil)
			if err != syscall.EINTR {
				return
			}
		}
	}()
	if !within(t, gone, "a child whose parent was killed") {
		t.found("left behind", "process %d, whose parent was killed", grandchild)
		if child, err := os.FindProcess(grandchild); err == nil {
			child.Kill()
		}
		<-gone
	}
}

// toldOptions are those of a parent that is told of its grandchild.
func toldOptions(pid chan int) *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.RegisterName("Service", &told{pid}); err != nil {
		panic(err)
	}
	return &rpcpipe.Options{Server: server}
}

// told is told of a grandchild.
type told struct{ pid chan int }

// Note is called once.
func (t *told) Note(arg Data, _ *struct{}) error {
	t.pid <- arg.N
	return nil
}
