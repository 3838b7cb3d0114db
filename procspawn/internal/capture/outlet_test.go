package capture

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// gated is a writer whose calls wait for a permission each.
type gated struct {
	bytes.Buffer
	calls int
	let   chan struct{}
	err   error
}

func (g *gated) Write(p []byte) (int, error) {
	g.calls++
	<-g.let
	if g.err != nil {
		return 0, g.err
	}
	return g.Buffer.Write(p)
}

// putting has o.put called and returns whether that has returned when nothing moves any more.
func putting(o *outlet, p []byte) (returned func() bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.put(p)
	}()
	return func() bool {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// TestOutletHoldsBack: a slow writer makes the child wait, until the process has exited.
func TestOutletHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gated{let: make(chan struct{})}
		o := newOutlet(w)
		go o.run()
		assert.True(t, putting(o, numbered(10))(), "the writer is at it")
		assert.True(t, putting(o, numbered(outletQueue))())
		over := putting(o, numbered(1))
		assert.False(t, over())
		close(o.exited)
		assert.True(t, over())
		assert.True(t, putting(o, numbered(outletLast-outletQueue-1))())
		full := putting(o, numbered(1))
		assert.False(t, full())
		w.let <- struct{}{}
		assert.True(t, full())
		o.end()
		close(w.let)
		<-o.done
		assert.Equal(t, 10+outletLast+1, w.Len())
		assert.NoError(t, o.err())
	})
}

// TestOutletFails: a writer that fails is not called again, and holds nobody back.
func TestOutletFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gated{let: make(chan struct{}), err: errors.New("full")}
		o := newOutlet(w)
		go o.run()
		assert.True(t, putting(o, numbered(10))(), "the writer is at it")
		over := putting(o, numbered(2*outletQueue))
		assert.False(t, over())
		w.let <- struct{}{}
		assert.True(t, over())
		assert.True(t, putting(o, numbered(2*outletQueue))())
		o.end()
		<-o.done
		assert.Equal(t, 1, w.calls)
		assert.Equal(t, w.err, o.err())
	})
}

// TestOutletStops: the writer is not called after the call that it is in.
func TestOutletStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gated{let: make(chan struct{})}
		o := newOutlet(w)
		go o.run()
		assert.True(t, putting(o, numbered(10))(), "the writer is at it")
		over := putting(o, numbered(2*outletQueue))
		assert.False(t, over())
		o.stop()
		assert.True(t, over())
		w.let <- struct{}{}
		<-o.done
		assert.Equal(t, 1, w.calls)
	})
}
