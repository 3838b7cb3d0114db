package procspawn

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
	"github.com/viaduct-go/viaduct/procspawn/internal/family"
	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

// Process is a started child that has said hello. Its methods may be called at the same time.
//
// A goroutine waits for the child with Cmd.Wait from the start on: do not call that. A Process
// needs Stop in the end even if the child has exited by itself, to close the link.
type Process struct {
	// Written before the Process is handed out.
	cmd         *exec.Cmd
	opts        Options
	link        *Link
	pipe        *pipes.Conn // what link reads and writes
	streams     capture.Streams
	processTree family.Tree
	cancel      cancelling
	started     time.Time

	// Closed by reap, in this order.
	exited   chan struct{} // the system has reported the end
	reported chan struct{} // exit is complete
	done     chan struct{} // no writer of the caller is called any more

	exit *Exit // written by reap before reported is closed

	stopSteps sync.Once // taken by the first Stop

	mu      sync.Mutex // guards what follows
	step    Step       // the last step of stopping that was taken before the end
	over    bool       // the process has exited: step stays as it is
	killErr error      // why it could not be killed
}

// Link returns the link to the child.
func (p *Process) Link() *Link { return p.link }

// Pid returns the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has exited and was waited for, and everything that was started for
// it here has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the child ended. It is nil before Done is closed, and does not wait.
func (p *Process) Exit() *Exit {
	select {
	case <-p.done:
		return p.exit
	default:
		return nil
	}
}

// grace is how long we stay with what an exited process has left behind, when a grandchild keeps
// the other end open; and with a link that has ended, for the exit of the process.
const grace = 50 * time.Millisecond

// reap is the goroutine that waits for the child and reports its end.
func (p *Process) reap() {
	var end time.Time
	var step Step
	err := p.processTree.Wait(func() {
		end = time.Now()
		step = p.lastStep()
		close(p.exited)
	})
	p.pipe.Expire(end.Add(grace))
	p.streams.Finish(end.Add(grace))

	exit := &Exit{
		Pid:      p.Pid(),
		Code:     -1,
		Step:     step,
		Lifetime: end.Sub(p.started),
	}
	if p.cmd.ProcessState != nil {
		exit.Code, exit.Signal = p.processTree.Status()
	}
	cancelled, failed := p.cancel.outcome(end)
	var status *exec.ExitError
	switch {
	case failed != nil:
		exit.Cause = fmt.Errorf("Cmd.Cancel failed: %w", failed)
	case err != nil && !errors.As(err, &status) && !isContextError(err): // By says that
		exit.Cause = err
	}
	exit.keep(p.streams.Report(exit.Code, exit.Signal))
	exit.By = endedBy(exit, cancelled)
	if p.opts.pending != nil {
		for _, call := range p.opts.pending() {
			exit.Pending = append(exit.Pending, PendingCall(call))
		}
	}
	p.exit = exit
	close(p.reported)
	p.streams.Release(p.cmd.WaitDelay)
	close(p.done)
}

// endedBy says who has ended a process, given all else of its Exit. The steps shutdown and close
// link neither send a signal nor make a program crash.
func endedBy(e *Exit, cancelled bool) By {
	switch {
	case e.Step > StepCloseLink, e.Step > StepNone && e.Signal == nil && e.Crash == nil:
		return ByStop
	case cancelled:
		return ByContext
	case e.Signal != nil:
		return BySignal
	}
	return ByItself
}

// lastStep returns the step that has ended the child. From now on noteStep changes nothing.
func (p *Process) lastStep() Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.step == StepNone && p.link.ended.Load() == endedHere {
		return StepCloseLink // by Stop, or by whoever has the Link
	}
	return p.step
}

// noteStep notes, for the Exit, a step of stopping that is about to be taken.
func (p *Process) noteStep(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.step = max(p.step, s)
	}
}

// errExited is for a Write, which does not wait until the Exit is complete.
var errExited = errors.New("procspawn: the child has exited")

// explainEnd is Link.explainEnd in a parent. The end of the link and the end of the process come
// from two places, in either order. A reader of the link waits for the other one, as everybody
// above wants to know how the child has ended.
func (p *Process) explainEnd(err error, mayWait bool) error {
	p.link.ended.CompareAndSwap(endedNot, endedThere)
	if mayWait {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-p.exited:
			<-p.reported // within another grace
		case <-t.C:
			if p.processTree.HasExited() { // it is this process that is late
				<-p.reported
			}
		}
	}
	select {
	case <-p.reported:
		return p.exit
	default:
	}
	select {
	case <-p.exited: // err may be the deadline that Expire has set
		return errExited
	default:
		return err
	}
}
