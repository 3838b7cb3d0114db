package procspawn

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// cancelling is the caller's own way to end a child when the context of its command ends:
// Cmd.Cancel. It runs in a goroutine of its own: Cmd.Wait would wait for it, and it may well wait
// for the child's end itself, by Stop or by Shutdown of rpcpipe.
type cancelling struct {
	call    func() error              // nil: there is none
	delay   time.Duration             // Cmd.WaitDelay, after which os/exec kills; 0: never
	begun   atomic.Pointer[time.Time] // when call was called
	failed  atomic.Pointer[error]     // what it has returned
	results chan struct{}             // closed when call has returned
}

// start takes the place of Cmd.Cancel. Package os/exec calls it once, when the context has ended.
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

// outcome says of a child that has ended whether that was because of the context, and the error of
// Cmd.Cancel, if it had one.
func (c *cancelling) outcome(end time.Time) (ended bool, err error) {
	begun := c.begun.Load()
	if begun == nil {
		return false, nil
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.results:
	case <-t.C: // it may be waiting for the child's end, which is told after this
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
