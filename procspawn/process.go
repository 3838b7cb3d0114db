package procspawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
	"github.com/viaduct-go/viaduct/procspawn/internal/family"
	"github.com/viaduct-go/viaduct/procspawn/internal/limits"
	"github.com/viaduct-go/viaduct/procspawn/internal/memory"
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
	memory      memory.Record
	limits      limits.Guard
	started     time.Time

	// Closed by reap, in this order.
	exited   chan struct{} // the system has reported the end
	reported chan struct{} // exit is complete
	done     chan struct{} // no writer of the caller is called any more

	exit *Exit // written by reap before reported is closed

	stopSteps sync.Once // taken by the first Stop

	mu      sync.Mutex // guards what follows
	step    Step       // the last step of stopping that was taken before the end
	before  Step       // the one before that
	over    bool       // the process has exited: step stays as it is
	killErr error      // why it could not be killed
}

// Link returns the link to the child.
func (p *Process) Link() *Link { return p.link }

// Pid returns the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Memory returns how much memory the child holds now, in bytes: what is resident, or its working set
// on Windows. It is that of its process alone, without those that it has started. It is 0 where that
// is not known, as on systems other than Linux, macOS and Windows, and when the child has exited.
func (p *Process) Memory() int64 {
	held, err := memory.Resident(p.Pid())
	select {
	case <-p.exited: // the number may be somebody else's
		return 0
	default:
	}
	if err != nil {
		return 0
	}
	return held
}

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
	var step, before Step
	err := p.processTree.Wait(func() {
		end = time.Now()
		step, before = p.lastSteps()
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
		exit.UserTime, exit.SystemTime = p.cmd.ProcessState.UserTime(), p.cmd.ProcessState.SystemTime()
		if step == StepKill && exit.Signal != os.Kill {
			exit.Step = before // it had ended before the kill could end it
		}
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
	if exit.By == ByStop && exit.Cause == nil && p.opts.why != nil {
		exit.Cause = p.opts.why()
	}
	exit.Limit = p.limitReached(exit)
	if exit.Limit.Certain {
		exit.By = ByLimit
	}
	killed := (exit.By == BySignal || exit.By == ByLimit) && exit.Signal == os.Kill
	exit.PeakMemory, exit.OutOfMemory = p.memory.End(p.cmd.ProcessState, killed)
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

// limitReached says which limit has ended a process, given all else of its Exit, and lets go of
// what keeps its limits.
func (p *Process) limitReached(e *Exit) Reached {
	r := p.limits.End(limits.Outcome{
		Signal:   e.Signal,
		Code:     e.Code,
		Stopped:  e.By == ByStop || e.By == ByContext,
		Time:     e.UserTime + e.SystemTime,
		Filtered: p.opts.OnThread != nil,
		Stderr:   e.Stderr,
		Crash:    e.Crash,
	})
	return Reached{Limit(r.Limit), r.Certain, r.Evidence}
}

// lastSteps returns the step that has ended the child, and the one before it. From now on noteStep
// changes nothing.
func (p *Process) lastSteps() (last, before Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	last, before = p.step, p.before
	if p.link.ended.Load() == endedHere { // by Stop, or by whoever has the Link
		switch {
		case last == StepNone:
			last = StepCloseLink
		case before == StepNone && last > StepCloseLink:
			before = StepCloseLink
		}
	}
	return last, before
}

// noteStep notes, for the Exit, a step of stopping that is about to be taken.
func (p *Process) noteStep(s Step) {
	p.sampleMemory()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && s > p.step {
		p.step, p.before = s, p.step
	}
}

// sampleMemory takes note of the child's memory, unless it has ended.
func (p *Process) sampleMemory() { p.processTree.WhileOwn(p.memory.Sample) }

// errExited is for a Write, which does not wait until the Exit is complete.
var errExited = errors.New("procspawn: the child has exited")

// explainEnd is Link.explainEnd in a parent. The end of the link and the end of the process come
// from two places, in either order. A reader of the link waits for the other one, as everybody
// above wants to know how the child has ended.
func (p *Process) explainEnd(err error, mayWait bool) error {
	if p.link.ended.CompareAndSwap(endedNot, endedThere) {
		p.sampleMemory() // it may have closed the link and live on
	}
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
