package procspawn

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// killLimit is how long Stop waits for the system to report the end of a process that was killed.
// One that waits in the kernel, for a dead network file system say, cannot be killed before that
// ends.
const killLimit = 5 * time.Second

var errUnkillable = errors.New("killed, but the system has not reported its end: it may hang in the kernel")

// Stop ends the child, step by step. It closes the link, which makes a child of viaduct exit. After
// Options.CloseTimeout it sends SIGTERM, where there is such a signal, and SIGCONT to wake a child
// that is stopped. After Options.TermTimeout it kills. It waits for the child and returns how it
// ended, and at which step. Calls beyond the first wait with it.
//
// Stop always returns. If the system has not reported the end of the process 5 s after it was
// killed, Exit.Cause says so and Done stays open.
func (p *Process) Stop() *Exit {
	p.stopSteps.Do(func() {
		p.link.Close()
		if p.waitExit(p.opts.closeTimeout()) {
			return
		}
		p.noteStep(StepTerminate)
		// If the child may not be sent a signal, it may still be about to exit.
		err := p.processTree.Terminate()
		if !errors.Is(err, errors.ErrUnsupported) && p.waitExit(p.opts.termTimeout()) {
			return
		}
		p.kill()
	})
	return p.wait()
}

// Kill kills the child at once, and with Options.Group all that it has started, without the steps
// of Stop before that. Its Exit then has By ByStop and Step StepKill, unless it had ended already.
// Kill does not wait for the end: Done tells of it, and Stop is needed in any case. The error is
// os.ErrProcessDone if the child is known to have ended, or says why it cannot be killed.
func (p *Process) Kill() error {
	select {
	case <-p.exited:
		return os.ErrProcessDone
	default:
		return p.kill()
	}
}

func (p *Process) kill() error {
	p.noteStep(StepKill)
	err := p.processTree.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.killErr = err
	}
	return err
}

// waitExit waits for the child's end, and says whether it came in time.
func (p *Process) waitExit(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// wait waits for Done of a child that has exited or was killed.
func (p *Process) wait() *Exit {
	p.mu.Lock()
	limit, cause := killLimit, errUnkillable
	if p.killErr != nil {
		limit, cause = 0, fmt.Errorf("it could not be killed: %w", p.killErr)
	}
	p.mu.Unlock()
	if !p.waitExit(limit) {
		return &Exit{Pid: p.Pid(), Code: -1, By: ByStop, Step: StepKill, Lifetime: time.Since(p.started), Cause: cause, alive: true}
	}
	<-p.done
	return p.exit
}
