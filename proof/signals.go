package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// ignoresSIGCHLD has the system wait for children itself, so that nobody learns how they have ended.
func (s *stage) ignoresSIGCHLD() {
	signal.Ignore(syscall.SIGCHLD)
	defer signal.Reset(syscall.SIGCHLD)
	s.signalled()
}

func (s *stage) ignoresOthers() {
	list := []os.Signal{syscall.SIGPIPE, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT}
	signal.Ignore(list...)
	defer signal.Reset(list...)
	s.signalled()
}

// signalled starts children, and kills some.
func (s *stage) signalled() {
	for range 3 {
		if err := s.attempt(nil); err != nil {
			s.found("wrong answer", "with signals ignored: %v", err)
		}
		p, err := rpcpipe.Start(context.Background(), procspawn.Self("rest"), options())
		if err != nil {
			s.found("wrong answer", "with signals ignored: %v", err)
			return
		}
		p.Process().Kill()
		s.sees(p.Call("Service.Wait", &Data{}, nil))
		p.Wait()
	}
}

// childIgnoresSIGTERM ends one that stays until it is killed.
func (s *stage) childIgnoresSIGTERM() {
	opts := options()
	opts.CloseTimeout, opts.TermTimeout = brief, brief
	p, err := rpcpipe.Start(context.Background(), rpctest.Child{Misdeeds: []rpctest.Misdeed{{Do: rpctest.Hang, When: rpctest.AtEnd}}}.Command(), opts)
	if err != nil {
		s.found("wrong answer", "start: %v", err)
		return
	}
	p.Close()
	p.Wait()
	if step := p.Process().Exit().Step; step != procspawn.StepKill {
		s.found("wrong answer", "it was to be killed, and has ended at step %v", step)
	}
	s.Worked++
}

// parentWithout does without some of descriptors 0, 1 and 2.
func (s *stage) parentWithout(closed []int) {
	for _, fd := range closed {
		kept, err := syscall.Dup(fd)
		if err != nil {
			s.found("unknown error", "dup: %v", err)
			return
		}
		syscall.CloseOnExec(kept)
		syscall.Close(fd)
		defer func() {
			syscall.Dup2(kept, fd)
			syscall.Close(kept)
		}()
	}
	for range 3 {
		err := s.attempt(nil)
		if err != nil {
			s.found("wrong answer", "%v", err)
		}
		s.sees(err)
	}
}

// childWithout starts children that do.
func (s *stage) childWithout(closed []int) {
	script := `exec "$0" "$@"`
	for _, fd := range closed {
		script += " " + strconv.Itoa(fd) + ">&-"
	}
	self := procspawn.Self()
	err := s.attempt(exec.Command("/bin/sh", "-c", script, self.Path, procspawn.Here, "rest"))
	if err != nil {
		s.found("wrong answer", "%v", err)
	}
	s.sees(err)
}
