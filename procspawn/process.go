package procspawn

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// Process is a started child that has said hello.
//
// A goroutine waits for the child with Cmd.Wait from the start on: do not call
// that. A Process needs Stop in the end even if the child has exited by
// itself; it closes the link.
type Process struct {
	cmd     *exec.Cmd
	opts    Options
	link    *Link
	pipe    *pipeConn // what link reads and writes
	stdio   *stdio
	family  family
	started time.Time

	cancel cancelling

	// Closed by reap, in this order.
	exited   chan struct{} // the system has reported the end
	reported chan struct{} // exit is complete
	done     chan struct{} // the caller's writers are left alone, too

	exit *Exit // written by reap before reported is closed

	ladder sync.Once // Stop

	mu      sync.Mutex
	step    Step  // the last step taken before the end
	over    bool  // exited; step stays as it is
	killErr error // why it could not be killed
}

// Link returns the link to the child.
func (p *Process) Link() *Link { return p.link }

// Pid returns the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has exited, was waited for, and everything
// that was started for it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the child ended; nil before Done is closed.
func (p *Process) Exit() *Exit {
	select {
	case <-p.done:
		return p.exit
	default:
		return nil
	}
}

// reap is the goroutine that waits for the child.
func (p *Process) reap() {
	var end time.Time
	var step Step
	err := p.family.wait(func() {
		end = time.Now()
		step = p.lastStep()
		close(p.exited)
	})
	p.pipe.expire(end.Add(grace))
	p.stdio.finish(end.Add(grace))

	exit := &Exit{
		Pid:      p.Pid(),
		Code:     -1,
		Step:     step,
		Lifetime: end.Sub(p.started),
	}
	if p.cmd.ProcessState != nil {
		exit.Code, exit.Signal = p.family.status()
	}
	cancelled, failed := p.cancel.outcome(end)
	var status *exec.ExitError
	switch {
	case failed != nil:
		exit.Cause = fmt.Errorf("Cmd.Cancel failed: %w", failed)
	case err != nil && !errors.As(err, &status) && !isContextError(err): // By says that
		exit.Cause = err
	}
	p.stdio.report(exit)
	exit.By = endedBy(exit, cancelled)
	if p.opts.pending != nil {
		for _, call := range p.opts.pending() {
			exit.Pending = append(exit.Pending, PendingCall(call))
		}
	}
	p.exit = exit
	close(p.reported)
	p.stdio.release(p.cmd.WaitDelay)
	close(p.done)
}

// endedBy says who has ended a process of which all else is known. The first steps of
// stopping neither send a signal nor make a program crash.
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

// lastStep says which step ended the child, and keeps it so.
func (p *Process) lastStep() Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.step == StepNone && p.link.ended.Load() == endedHere {
		return StepCloseLink // by Stop or by whoever holds the link
	}
	return p.step
}

// take notes, for the Exit, a step of stopping that is about to be taken.
func (p *Process) take(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.step = max(p.step, s)
	}
}

// errExited is for those who cannot wait until the exit report is complete.
var errExited = errors.New("procspawn: the child has exited")

// hangup is the link's: what its errors mean here. The end of the link and the
// end of the process come from two places in either order; the reader waits
// for the other one, for what ended the child is what everybody above wants
// to know.
func (p *Process) hangup(err error, patient bool) error {
	p.link.ended.CompareAndSwap(endedNot, endedThere)
	if patient {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-p.exited:
			<-p.reported // within another grace
		case <-t.C:
			if hasExited(p.Pid()) { // and it is we who are late
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
	case <-p.exited: // then err may be the deadline that expire has set
		return errExited
	default:
		return err
	}
}
