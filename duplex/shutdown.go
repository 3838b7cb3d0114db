package duplex

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrShutdown is what calls, one-way messages and Open return, in the sense of
// errors.Is, while one of the sides is shutting down.
var ErrShutdown = errors.New("duplex: the link is shutting down")

// Shutdown ends the link in order. From now on neither side starts calls,
// one-way messages or streams, except for calls, one-way messages and offered streams that those need which are
// being worked on: others fail with [ErrShutdown]. When all calls have their replies, all
// one-way messages are finished with and all streams have ended and been read, offers included, in both
// directions, the other side is told, and the link ends: there with [ErrPeerClosed], here with [ErrClosed].
//
// When ctx ends first, the link ends as by Close. Shutdown returns nil if nothing was going on any more when the link was closed,
// on either side, ctx.Err(), or why the link has ended otherwise. Streams that wait for Accept, on either side, are refused. Lanes used as byte streams count
// as idle as soon as all that was written has been read. Methods that go on sending each other one-way messages keep the link from
// being idle: ctx ends that.
func (c *Conn) Shutdown(ctx context.Context) error {
	c.drain()
	var err error
	select {
	case <-c.quiet:
		err = c.flush(ctx)
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.done:
		if err = c.err; (err == ErrClosed || errors.Is(err, ErrPeerClosed)) && c.nothingLost() {
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
	case <-c.writer.drained:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
	}
	return nil
}

// nothingLost reports whether nothing was going on when the link ended. Of one-way messages that is
// known only if the other side has said so.
func (c *Conn) nothingLost() bool {
	w := &c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &w.farewell
	told := w.lonely || !w.notes || f.heard && f.has == w.begun
	return told && c.work.idle(c.work.received.Load())
}

// drain begins a Shutdown, which is to follow. Once it has returned, nothing is begun any more but
// what is needed for what is being worked on.
func (c *Conn) drain() {
	if !c.shutting.Swap(true) {
		w := &c.writer
		w.mu.Lock()
		c.work.draining.Store(true)
		if !c.noShutdown {
			w.control = appendHeader(w.control, kindShutdown, 0, 0)
		}
		w.mu.Unlock()
		c.refuseWaiting() // those that come from now on are refused at once
		w.flush()
	}
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

// farewell is what a writer knows of an orderly end. Guarded by writer.mu.
type farewell struct {
	told  bool   // the other side knows that this one is idle,
	at    uint32 // having received so many messages and streams,
	begun uint32 // and begun so many
	quiet bool   // Shutdown may close
	heard bool   // the other side has said that it is idle, and has begun nothing since;
	has   uint32 // it had received so many
}

// mayBegin reports why no call or one-way message may be begun. mu is held.
func (w *writer) mayBegin() error {
	if err := w.maySend(); err != nil {
		return err
	}
	if w.work.draining.Load() && !w.work.serving() {
		return ErrShutdown
	}
	return nil
}

// maySend reports why nothing may be sent. mu is held.
func (w *writer) maySend() error {
	switch {
	case isClosed(w.done):
		return errEnded
	case w.closing:
		return ErrClosed
	}
	return nil
}

// appendIdle tells the other side, behind all that was sent, that this one is
// idle, if it is and the link is draining. The owner calls it, when batch is the last there is.
//
// The side that shuts down may close when it is idle itself and the other one
// is, having received all that this one has begun: then nobody is left to
// begin anything. The number is that of messages which are complete, or have been aborted: those half
// received are not there yet.
func (w *writer) appendIdle(batch []byte) []byte {
	n := w.work.received.Load()
	if !w.work.draining.Load() || w.pending() || !w.work.idle(n) {
		return batch
	}
	f := &w.farewell
	if !f.told || f.at != n || f.begun != w.begun {
		f.told, f.at, f.begun = true, n, w.begun
		if !w.lonely {
			batch = appendHeader(w.buffer(batch, headerSize), kindIdle, 0, n)
		}
	}
	if w.lonely || f.heard && f.has == w.begun {
		w.nowQuiet()
	}
	return batch
}

func (w *writer) nowQuiet() {
	if !w.farewell.quiet {
		w.farewell.quiet = true
		close(w.quiet)
	}
}

// pending reports whether anything waits to be sent.
func (w *writer) pending() bool {
	for _, oc := range w.classes {
		if len(oc.waiting) > 0 || len(oc.open) > 0 {
			return true
		}
	}
	return len(w.queue) > 0 || len(w.ends) > 0 || len(w.urgents) > 0 || len(w.ready) > 0 || w.hasControl()
}

// work counts what is going on on a link, so that it can end in order.
type work struct {
	calls    atomic.Int64  // sent, and the reply has not come
	served   atomic.Int64  // come in, and the reply has not been sent
	notes    atomic.Int64  // one-way messages that have come in and are not finished with
	received atomic.Uint32 // messages and streams that have come in, ever; counted behind those above
	streams  atomic.Int64  // known on the wire
	draining atomic.Bool   // one of the sides is shutting down
}

// serving reports whether something that the other side has sent is being
// worked on, which may need calls and streams of this side.
func (k *work) serving() bool { return k.served.Load() > 0 || k.notes.Load() > 0 }

// idle reports whether nothing was going on while received was n. The order
// counts: what is begun here while the link is draining is begun by what is
// served, so once nothing is, calls and streams do not grow.
func (k *work) idle(n uint32) bool {
	return !k.serving() && k.calls.Load() == 0 && k.streams.Load() == 0 && k.received.Load() == n
}
