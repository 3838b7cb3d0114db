package procspawn

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// cancelling is the caller's own way to end a child when the context of its
// command ends: Cmd.Cancel. Cmd.Wait would wait for it, but it may well wait for the end of the child itself, by Stop or what
// the layers above have; so it runs beside.
type cancelling struct {
	call    func() error  // nil: there is none
	delay   time.Duration // Cmd.WaitDelay: os/exec kills the child so long after, if it is not 0
	begun   atomic.Pointer[time.Time]
	failed  atomic.Pointer[error]
	results chan struct{} // closed when call has returned
}

// start is called once, by os/exec.
func (c *cancelling) start() error {
	now := time.Now()
	c.begun.Store(&now)
	go func() {
		defer close(c.results)
		if err := c.call(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.failed.Store(&err)
		}
	}()
	return nil
}

// outcome says of a child that has ended whether that was because of the context, and what Cancel has failed with.
func (c *cancelling) outcome(end time.Time) (ended bool, err error) {
	begun := c.begun.Load()
	if begun == nil {
		return false, nil
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.results:
	case <-t.C: // it waits for us, say
	}
	if failed := c.failed.Load(); failed != nil {
		return c.delay > 0 && end.Sub(*begun) >= c.delay, *failed
	}
	return true, nil
}

// isContextError reports whether err says no more than that a context has ended.
func isContextError(err error) bool {
	return err == context.Canceled || err == context.DeadlineExceeded
}
