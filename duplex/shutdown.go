package duplex

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrShutdown is what calls, notifications and Open return, in the sense of errors.Is, while one of
// the sides is shutting down.
var ErrShutdown = errors.New("duplex: the link is shutting down")

// Shutdown ends the link in order. From now on neither side begins calls, notifications or streams:
// they fail with [ErrShutdown]. Exceptions are those that are needed by what is being worked on,
// and the opening of offers. Streams that wait for Accept, on either side, are refused.
//
// Shutdown waits until all calls have their replies, all notifications are finished with, and all
// streams, offers included, have ended and been read, in both directions. Then the other side is
// told, and the link ends: there with [ErrPeerClosed], here with [ErrClosed]. Lanes used as byte
// streams count as idle as soon as all that was written has been read. Methods that go on sending
// each other notifications keep the link from being idle: ctx ends that.
//
// When ctx ends first, the link ends as by Close. Shutdown returns nil if nothing was going on any
// more, on either side, when the link was closed. Otherwise it returns ctx.Err(), or why the link
// has ended.
func (c *Conn) Shutdown(ctx context.Context) error {
	c.drain()
	var err error
	select {
	case <-c.quiet:
		err = c.flush(ctx)
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.done:
		err = c.err
		closedInOrder := err == ErrClosed || errors.Is(err, ErrPeerClosed)
		if closedInOrder && c.nothingLost() {
			err = nil // somebody else was faster
		}
	}
	c.Close()
	return err
}

// flush has the bye written, behind what was accepted for sending.
func (c *Conn) flush(ctx context.Context) error {
	c.writer.close()
	select {
	case <-c.writer.end.drained:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
	}
	return nil
}

// nothingLost reports whether nothing was going on when the link ended. Of notifications that is
// known only if the other side has said so.
func (c *Conn) nothingLost() bool {
	w := &c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &w.end.farewell
	handled := !w.queues.notification || f.peerKnowsNoShutdown || f.peerIsIdle(w.queues.begun)
	return handled && c.work.idle(c.work.received.Load())
}

// drain begins a Shutdown, which is to follow. Once it has returned, nothing is begun any more but
// what is needed for what is being worked on.
func (c *Conn) drain() {
	if c.shutting.Swap(true) {
		return
	}
	w := &c.writer
	w.mu.Lock()
	c.work.draining.Store(true)
	if !w.end.farewell.peerKnowsNoShutdown {
		w.owed.addFrame(kindShutdown, 0)
	}
	w.mu.Unlock()
	c.refuseWaiting() // those that come from now on are refused at once
	w.flush()
}

// peerShutsDown is called when the other side has begun a Shutdown.
func (c *Conn) peerShutsDown() {
	c.work.draining.Store(true)
	c.refuseWaiting() // or the other side would wait for them
	c.settle()
}

// refuseWaiting refuses the streams that wait for Accept. It does not block.
func (c *Conn) refuseWaiting() {
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	c.streams.refuseWaiting(resetShutdown)
}

// settle has the writer look whether the link is idle now, if anybody wants to know.
func (c *Conn) settle() {
	if c.work.draining.Load() {
		c.writer.update(func() {})
	}
}

// work counts what is going on on a link, so that it can end in order.
type work struct {
	calls         atomic.Int64  // sent, and the reply has not come
	served        atomic.Int64  // come in, and the reply has not been sent
	notifications atomic.Int64  // come in, and not finished with
	notifying     atomic.Int64  // being sent
	received      atomic.Uint32 // messages and streams come in, ever; counted behind the others
	streams       atomic.Int64  // that Shutdown waits for: see streamState.keepsLinkUp
	draining      atomic.Bool   // one of the sides is shutting down
}

// serving reports whether something that the other side has sent is being worked on, which may need
// calls and streams of this side.
func (k *work) serving() bool { return k.served.Load() > 0 || k.notifications.Load() > 0 }

// idle reports whether nothing was going on while received was n. The order counts: what is begun
// here while the link is draining is begun by what is served, so once nothing is, calls and streams
// do not grow.
func (k *work) idle(n uint32) bool {
	return !k.serving() && k.calls.Load() == 0 && k.streams.Load() == 0 && k.received.Load() == n
}

// farewell is what the two sides have told each other of being idle. Guarded by writer.mu.
//
// The side that shuts down may close when it is idle itself and the other one is, having received
// all that this one has begun: then nobody is left to begin anything.
type farewell struct {
	peerKnowsNoShutdown bool // it is told nothing, and nothing is heard of it

	told          bool   // the other side knows that this one was idle,
	toldReceived  uint32 // having received so many messages and streams,
	begunThen     uint32 // and begun so many
	heard         bool   // the other side has said that it is idle, and has begun nothing since;
	heardReceived uint32 // it had received so many

	quiet chan struct{} // closed when Shutdown may close
}

// tell notes that this side is idle. It reports false if the other side knows that already.
func (f *farewell) tell(received, begun uint32) (isNews bool) {
	if f.told && f.toldReceived == received && f.begunThen == begun {
		return false
	}
	f.told, f.toldReceived, f.begunThen = true, received, begun
	return true
}

// hear notes that the other side is idle.
func (f *farewell) hear(received uint32) { f.heard, f.heardReceived = true, received }

// peerIsIdle reports whether the other side is idle, having received all that this one has begun.
func (f *farewell) peerIsIdle(begun uint32) bool { return f.heard && f.heardReceived == begun }

// appendIdle tells the other side, behind all that was sent, that this one is idle, if it is and
// the link is draining. The owner calls it, when batch is the last there is.
//
// The number that it tells is that of messages which are complete, or have been aborted: those half
// received are not there yet.
func (w *writer) appendIdle(batch []byte) []byte {
	if !w.work.draining.Load() {
		return batch
	}
	received := w.work.received.Load()
	nothingToSend := w.queues.empty() && w.owed.empty()
	if !nothingToSend || !w.work.idle(received) {
		return batch
	}
	f, begun := &w.end.farewell, w.queues.begun
	if f.tell(received, begun) && !f.peerKnowsNoShutdown {
		batch = appendHeader(w.buffers.room(batch, headerSize), kindIdle, 0, received)
	}
	bothIdle := f.peerKnowsNoShutdown || f.peerIsIdle(begun)
	if bothIdle && !isClosed(f.quiet) {
		close(f.quiet)
	}
	return batch
}

// linkEnds reports whether the connection has ended, or is about to. mu is held.
func (w *writer) linkEnds() bool {
	return w.end.closing || w.end.peerBye || w.end.err != nil || isClosed(w.done)
}
