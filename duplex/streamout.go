package duplex

import (
	"encoding/binary"
	"math"
	"os"
	"sync/atomic"
)

// outStream is the sending half of a stream, and what this side owes the other one about the
// receiving half. Guarded by writer.mu.
type outStream struct {
	w     *writer
	wrote chan struct{} // one slot: what Write waits for may have come

	// accepted: the other side may send. Of a stream that it has opened, once the accept is in a
	// batch; of one of this side, once the accept has come. The reader asks without holding a lock.
	accepted atomic.Bool

	by    kind   // who opens the stream
	id    uint32 // set when it is opened
	state outState
	err   error // why a Write fails; nil while the state takes data

	credit int64  // bytes that may be sent
	data   []byte // what the Write at work has not sent
	batch  uint64 // of the last byte of the Write at work, once it is in a frame

	endBatch uint64 // of the end; 0 if there is none
	inTurn   bool   // in queues.turns

	wroteLong bool // by the latest Write

	// What is owed. Each is the latest there is to say, so it takes no more room as it grows.
	listed bool // in owed.streams
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

// smallWrite is the most that is sent ahead of the turns of long messages and other streams, like a
// message of one frame.
const smallWrite = 4 << 10

// appendHeader begins a frame of the stream from this side.
func (o *outStream) appendHeader(b []byte, base kind, length int) []byte {
	switch base {
	case kindOpen, kindAccept:
	default:
		base |= o.by
	}
	return appendHeader(b, base, length, o.id)
}

// appendNumber appends a frame with one number in it.
func (o *outStream) appendNumber(b []byte, base kind, number uint32) []byte {
	return binary.LittleEndian.AppendUint32(o.appendHeader(b, base, 4), number)
}

// owe makes something due. w.mu is held.
func (o *outStream) owe(what int) {
	o.due[what] = true
	if what == dueAccept {
		o.w.owed.answers[o.id] = o
	}
	if !o.listed {
		o.listed = true
		o.w.owed.streams = append(o.w.owed.streams, o)
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
			o.w.queues.begun++
			b = o.appendHeader(b, kindOpen, 8)
			b = binary.LittleEndian.AppendUint32(b, o.window)
			b = binary.LittleEndian.AppendUint32(b, o.name)
		case dueAccept:
			o.accepted.Store(true)
			delete(o.w.owed.answers, o.id)
			b = o.appendNumber(b, kindAccept, o.window)
		case dueMore:
			b = o.appendNumber(b, kindMore, o.more)
			o.more = 0
		case dueStop:
			b = o.appendHeader(b, kindStop, 0)
		case dueReset:
			b = o.appendNumber(b, kindReset, o.code)
		}
	}
	o.due = [numDue]bool{}
	return b
}

// appendEnd appends the end of what is sent, which goes behind all of it. The owner of the writer
// calls it.
func (o *outStream) appendEnd(b []byte) []byte {
	if o.state == outCut {
		return o.appendNumber(b, kindReset, resetCut)
	}
	return o.appendHeader(b, kindEnd, 0)
}

// forgo drops what is due, and the turn: nobody wants them any more. w.mu is held.
func (o *outStream) forgo() {
	o.due = [numDue]bool{}
	delete(o.w.owed.answers, o.id)
	if o.listed {
		o.listed = false
		o.w.owed.streams = remove(o.w.owed.streams, o)
	}
	o.w.owed.ends = remove(o.w.owed.ends, o)
	if o.endBatch == o.w.progress.next() {
		o.endBatch = 0
	}
	if !o.w.hasFramesNow() {
		o.w.progress.isEmpty()
	}
	if o.inTurn {
		o.inTurn = false
		o.w.queues.turns = remove(o.w.queues.turns, piecer(o))
	}
}

// open has the other side know the stream, which lets this one send window bytes. w.mu is held.
func (o *outStream) open(id, window uint32) {
	o.id = id
	o.state.on(outOpens)
	switch o.state {
	case outOpen:
		o.credit = int64(window)
		o.takeTurns()
	case outEnded: // CloseWrite has come before the other side
		o.oweEnd()
	}
}

// write has p sent as credit allows. It returns the batch of the last byte if all of it is in
// frames. Otherwise that is 0, and the caller waits for wrote, and then asks progress.
func (o *outStream) write(p []byte) (batch uint64, err error) {
	w := o.w
	w.mu.Lock()
	if err := o.writeErr(); err != nil || len(p) == 0 {
		w.mu.Unlock()
		return 0, err
	}
	isSmall := len(p) <= smallWrite && int64(len(p)) <= o.credit
	wroteLong := o.wroteLong
	o.wroteLong = !isSmall
	if isSmall && w.hasRoom() {
		w.queues.small = w.queues.small || !wroteLong // between two long ones it is of one thing with these
		batch = w.progress.next()
		w.queues.frames = o.appendData(w.buffers.room(w.queues.frames, headerSize+len(p)), p)
	} else {
		o.data = p
		o.takeTurns()
	}
	w.unlockAndWrite(false)
	return batch, nil
}

// writeErr returns why nothing may be written. w.mu is held.
func (o *outStream) writeErr() error {
	switch {
	case o.err != nil:
		return o.err
	case isClosed(o.w.done):
		return errEnded
	case o.w.end.closing:
		return ErrClosed
	}
	return nil
}

// progress returns how much of the Write at work, of n bytes, is in frames, and, if that is all, the
// batch of the last byte. If the Write ends without the rest, err says why. giveUp has it end.
func (o *outStream) progress(n int, giveUp bool) (sent int, batch uint64, err error) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	sent = n - len(o.data)
	if sent == n {
		return sent, o.batch, nil
	}
	if err = o.writeErr(); err == nil && giveUp {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		o.data = nil
	}
	return sent, 0, err
}

func (o *outStream) appendData(b, p []byte) []byte {
	o.credit -= int64(len(p))
	return append(o.appendHeader(b, kindData, len(p)), p...)
}

func (o *outStream) maySend() bool { return len(o.data) > 0 && o.credit > 0 }

// takeTurns gives o its turns if there is something that it may send. w.mu is held.
func (o *outStream) takeTurns() {
	if o.maySend() && !o.inTurn {
		o.inTurn = true
		o.w.queues.turns = append(o.w.queues.turns, o)
	}
}

// piece sends what may be sent in one frame. The owner of the writer calls it.
func (o *outStream) piece(b []byte, batch uint64, z sizing) (_ []byte, again bool) {
	if n := min(int64(z.piece(len(o.data))), o.credit); n > 0 {
		b = o.appendData(b, o.data[:n])
		if o.data = o.data[n:]; len(o.data) == 0 {
			o.data, o.batch = nil, batch
			signal(o.wrote)
		}
	}
	o.inTurn = o.maySend()
	return b, o.inTurn
}

// end has the other side told that no more data follows. A Write at work ends with reason. It
// reports false if the half had ended before. w.mu is held.
func (o *outStream) end(reason error) bool {
	if !o.state.on(outEnds) {
		return false
	}
	o.fail(reason)
	if o.state == outEnded {
		o.oweEnd()
	}
	return true
}

// endSent returns the batch of the end, and what is closed when that is with the system. written is nil
// if there is nothing to wait for: it is, nobody has opened the offer, or the other side has reset the
// stream. err says why no end was sent.
func (o *outStream) endSent() (batch uint64, written <-chan struct{}, err error) {
	w := o.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case o.endBatch != 0:
		return o.endBatch, w.progress.wait(o.endBatch), nil
	case o.state != outEnded:
		return 0, nil, nil
	case isClosed(w.done):
		err = errEnded
	case w.end.closing:
		err = ErrClosed
	case w.end.peerBye:
		err = ErrPeerClosed
	default:
		err = w.end.err
	}
	return 0, nil, err
}

// halfWritten reports whether a Write is at work that has not sent all of its bytes. w.mu is held.
func (o *outStream) halfWritten() bool { return len(o.data) > 0 && o.state.takesData() }

// oweEnd has the end sent behind what is queued. w.mu is held.
//
// Once the link has begun to end there is none: data may have been refused before it, and what was
// sent would seem to be all. The other side learns from the link's end that it was not.
func (o *outStream) oweEnd() {
	if !o.w.linkEnds() {
		o.endBatch = o.w.progress.next()
		o.w.owed.ends = append(o.w.owed.ends, o)
	}
}

// fail fails the Write at work and later ones. The first reason counts. What that Write has not
// sent stays in data for progress to see. w.mu is held.
func (o *outStream) fail(reason error) {
	if o.err == nil {
		o.err = reason
	}
	o.credit = 0
	signal(o.wrote)
}

// reset has the other side told that the stream is no more. was is what the stream was until now.
// w.mu is held.
func (o *outStream) reset(code uint32, reason error, was streamState) {
	toTell := o.state.isKnown()
	event := outResets
	if code == resetCut {
		event = outIsCut
	}
	o.state.on(event)
	o.fail(reason)
	switch {
	case !toTell:
	case o.due[dueOpen]:
		// Nobody has heard of it, nor will: the link may be stuck while one open after the other is
		// given up.
		o.forgo()
	case was == streamWaiting:
		o.forgo()
		// Not a reset that is due: refusals count as answers that have not been sent.
		o.w.owed.refusals = append(o.w.owed.refusals, refusal{o.id, code})
	case o.state == outCut:
		o.endBatch = o.w.progress.next()
		o.w.owed.ends = append(o.w.owed.ends, o)
	default:
		o.oweReset(code)
	}
}

// oweReset has a reset sent, before what is queued. w.mu is held.
func (o *outStream) oweReset(code uint32) {
	o.w.owed.ends = remove(o.w.owed.ends, o)
	// What the other side does not know yet it hears of first: a stream that was accepted and reset
	// at once was not refused.
	o.due[dueMore], o.due[dueStop] = false, false
	o.code = code
	o.owe(dueReset)
}

// drop ends the half when the other side need not be told. w.mu is held.
func (o *outStream) drop(reason error) {
	o.state.on(outResets)
	o.fail(reason)
	o.forgo()
}

// addCredit is called when the other side takes n bytes more. w.mu is held.
func (o *outStream) addCredit(n int64) error {
	if n == 0 || o.credit+n > maxWindow {
		return protocolErrorf("stream credit of %d bytes makes %d, limit is %d", n, o.credit+n, maxWindow)
	}
	if o.state.takesData() {
		o.credit += n
		o.takeTurns()
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
