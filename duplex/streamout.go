package duplex

import (
	"encoding/binary"
	"math"
	"net"
	"os"
	"sync/atomic"
)

// outStream is the sending half of a stream, and what this side owes the other
// one about the receiving half. Guarded by writer.mu.
type outStream struct {
	w     *writer
	wrote chan struct{} // one slot: what Write waits for may have come

	begun atomic.Bool // the stream has been accepted: the other side may send; set by the writer or the reader

	id     uint32
	by     kind   // who has opened the stream
	opened bool   // it is known on the wire: not so an offer that waits
	credit int64  // bytes that may be sent
	data   []byte // what the Write at work has not sent
	ready  bool   // in writer.ready
	ending bool   // no more data follows
	cut    bool   // and what was sent is not all: it ends by a reset, behind its data
	failed error  // why nothing can be written any more

	// What is owed, all of it state.
	listed bool // in writer.streams
	due    [numDue]bool
	window uint32 // with open and accept
	name   uint32 // with open
	more   uint32 // credit for the other side
	code   uint32 // with reset
}

// What may be due, in the order in which it is sent.
const (
	dueOpen = iota
	dueAccept
	dueMore
	dueStop
	dueReset
	numDue
)

// smallWrite is the most that is sent ahead of the turns of long messages and
// other streams, like a message of one frame.
const smallWrite = 4 << 10

// frame begins a frame of the stream from this side.
func (o *outStream) frame(b []byte, base kind, length int) []byte {
	switch base {
	case kindOpen, kindAccept:
	default:
		base |= o.by
	}
	return appendHeader(b, base, length, o.id)
}

// owe makes something due. w.mu is held.
func (o *outStream) owe(what int) {
	o.due[what] = true
	if what == dueAccept {
		o.w.answers[o.id] = o
	}
	if !o.listed {
		o.listed = true
		o.w.streams = append(o.w.streams, o)
	}
}

// appendDue appends what is due. The owner of the writer calls it.
func (o *outStream) appendDue(b []byte) []byte {
	o.listed = false
	for what, due := range o.due {
		if !due {
			continue
		}
		switch what {
		case dueOpen:
			o.w.begun++
			b = o.frame(b, kindOpen, 8)
			b = binary.LittleEndian.AppendUint32(b, o.window)
			b = binary.LittleEndian.AppendUint32(b, o.name)
		case dueAccept:
			o.begun.Store(true)
			delete(o.w.answers, o.id)
			b = binary.LittleEndian.AppendUint32(o.frame(b, kindAccept, 4), o.window)
		case dueMore:
			b = binary.LittleEndian.AppendUint32(o.frame(b, kindMore, 4), o.more)
			o.more = 0
		case dueStop:
			b = o.frame(b, kindStop, 0)
		case dueReset:
			b = binary.LittleEndian.AppendUint32(o.frame(b, kindReset, 4), o.code)
		}
	}
	o.due = [numDue]bool{}
	return b
}

// forgo drops what is due, and the turn, which nobody wants any more.
func (o *outStream) forgo() {
	o.due = [numDue]bool{}
	delete(o.w.answers, o.id)
	if o.listed {
		o.listed = false
		o.w.streams = remove(o.w.streams, o)
	}
	o.w.ends = remove(o.w.ends, o)
	if o.ready {
		o.ready = false
		o.w.ready = remove(o.w.ready, piecer(o))
	}
}

// start has p sent as credit allows. It reports true if all of it is on its
// way; otherwise the caller waits for wrote.
func (o *outStream) start(p []byte) (sent bool, err error) {
	w := o.w
	w.mu.Lock()
	if err := o.usable(); err != nil {
		w.mu.Unlock()
		return false, err
	}
	if len(p) == 0 {
		w.mu.Unlock()
		return true, nil
	}
	if len(p) <= smallWrite && o.credit >= int64(len(p)) && len(w.queue) < w.maxQueue && !w.crowded && w.err == nil {
		w.queue = o.appendData(w.buffer(w.queue, headerSize+len(p)), p)
		w.unlockAndWrite(false)
		return true, nil
	}
	o.data = p
	o.getReady()
	w.unlockAndWrite(false)
	return false, nil
}

func (o *outStream) usable() error {
	switch {
	case o.failed != nil:
		return o.failed
	case isClosed(o.w.done):
		return errEnded
	case o.ending:
		return net.ErrClosed
	case o.w.closing:
		return ErrClosed
	}
	return nil
}

// progress returns how much of the Write at work, of n bytes, has been sent,
// and, if it ends without the rest, why. giveUp has it end.
func (o *outStream) progress(n int, giveUp bool) (sent int, err error) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	sent = n - len(o.data)
	if sent == n {
		return sent, nil
	}
	if err = o.usable(); err == nil && giveUp {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		o.data = nil
	}
	return sent, err
}

func (o *outStream) appendData(b, p []byte) []byte {
	o.credit -= int64(len(p))
	return append(o.frame(b, kindData, len(p)), p...)
}

// getReady gives o its turns if there is something that it may send. w.mu is held.
func (o *outStream) getReady() {
	if len(o.data) > 0 && o.credit > 0 && !o.ready {
		o.ready = true
		o.w.ready = append(o.w.ready, o)
	}
}

// piece sends what may be sent in one frame.
func (o *outStream) piece(b []byte) (_ []byte, again bool) {
	if n := min(int64(pieceSize(len(o.data))), o.credit); n > 0 {
		b = o.appendData(b, o.data[:n])
		if o.data = o.data[n:]; len(o.data) == 0 {
			o.data = nil
			signal(o.wrote)
		}
	}
	o.ready = len(o.data) > 0 && o.credit > 0
	return b, o.ready
}

// end has the other side told that no more data follows; a Write at work ends
// with reason. It reports false if that was done before. w.mu is held.
func (o *outStream) end(reason error) bool {
	if o.ending {
		return false
	}
	o.ending = true
	o.stop(reason)
	o.oweEnd()
	return true
}

// halfWritten reports whether a Write is at work that has not sent all of its bytes. w.mu is held.
func (o *outStream) halfWritten() bool { return len(o.data) > 0 && o.failed == nil }

// oweEnd has the end sent behind what is queued, if there is to be one and the other side knows the stream.
//
// Once the link has begun to end there is none: data may have been refused before it, and would
// seem to be all there was. The other side learns from the link's end that it was not.
func (o *outStream) oweEnd() {
	if o.ending && o.opened && !o.w.linkEnds() {
		o.w.ends = append(o.w.ends, o)
	}
}

// stop fails the Write at work and later ones. What it has not sent stays in data for
// who waits to see.
func (o *outStream) stop(reason error) {
	if o.failed == nil {
		o.failed = reason
	}
	o.credit = 0
	signal(o.wrote)
}

// reset has the other side told that the stream is no more.
func (o *outStream) reset(code uint32, reason error) {
	o.stop(reason)
	o.ending = true
	switch {
	case !o.opened:
	case o.due[dueOpen]:
		// Nobody has heard of it, nor will: the link may be stuck while one
		// open after the other is given up.
		o.forgo()
	case o.by == byAcceptor && !o.begun.Load() && !o.due[dueAccept]:
		// It waited for Accept: the answer counts among those that are due.
		o.forgo()
		o.w.refusals = append(o.w.refusals, refusal{o.id, code})
	default:
		o.w.ends = remove(o.w.ends, o)
		if code == resetCut {
			o.cut = true
			o.w.ends = append(o.w.ends, o)
			return
		}
		// What the other side does not know yet it hears of first: a stream
		// that was accepted and reset at once was not refused.
		o.due[dueMore], o.due[dueStop] = false, false
		o.code = code
		o.owe(dueReset)
	}
}

// addCredit is called when the other side takes n bytes more.
func (o *outStream) addCredit(n int64) error {
	if n == 0 || o.credit+n > maxWindow {
		return protocolErrorf("stream credit of %d bytes makes %d, limit is %d", n, o.credit+n, maxWindow)
	}
	if o.failed == nil {
		o.credit += n
		o.getReady()
	}
	return nil
}

// grant gives the other side credit for n bytes more.
func (o *outStream) grant(n int64) {
	w := o.w
	w.mu.Lock()
	o.more = uint32(min(int64(o.more)+n, math.MaxUint32))
	o.owe(dueMore)
	w.unlockAndWrite(false)
}
