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
	call    func() error // nil: there is none
	begun   atomic.Bool
	failed  atomic.Pointer[error]
	results chan struct{} // closed when call has returned
}

// start is called once, by os/exec.
func (c *cancelling) start() error {
	c.begun.Store(true)
	go func() {
		defer close(c.results)
		if err := c.call(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.failed.Store(&err)
		}
	}()
	return nil
}

// outcome says, when the child has ended, whether it was asked to, and what that has failed with.
func (c *cancelling) outcome() (asked bool, err error) {
	if !c.begun.Load() {
		return false, nil
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.results:
	case <-t.C: // it waits for us, say
	}
	if failed := c.failed.Load(); failed != nil {
		return false, *failed
	}
	return true, nil
}

// isContextError reports whether err says no more than that a context has ended.
func isContextError(err error) bool {
	return err == context.Canceled || err == context.DeadlineExceeded
}
