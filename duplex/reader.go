package duplex

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/viaduct-go/viaduct/internal/framesum"
)

// What is asked of the connection at once: smallRead, and readSize from when it has brought so much
// until it has brought less for littleReads times. An idle connection keeps little.
const (
	smallRead   = 4 << 10
	readSize    = 64 << 10
	littleReads = 64
)

// readPool has buffers of readSize.
var readPool = sync.Pool{New: func() any { return new([readSize]byte) }}

// trustSize is how much of a long message memory is taken for on the word of its first frame, or as
// much as the largest message that has come whole, up to maxTrust. Beyond it the buffer grows with what
// has arrived, to four times that: what is copied then costs more than what is not used for a while.
const (
	trustSize = 1 << 20
	maxTrust  = 16 << 20
)

// reader is the receiving half of a connection. It runs in one goroutine, which owns all its
// fields, and waits for nothing but the connection: it never writes, and never waits for a lane or
// a lock that is held across a write.
type reader struct {
	c    *Conn
	src  io.Reader
	buf  []byte         // small, or one of readPool
	r, w int            // buf[r:w] has been read and not used
	sums *framesum.Sums // nil: frames have none

	small  []byte // of smallRead
	little int    // how often the connection has brought no more than smallRead in a row; -1: more came

	unfinished map[inKey]*inMsg // long messages half received
	// One of them is a notification: nothing of its class may come before its end.
	inNotification bool
	largest        int // message that has come whole, of long ones
}

func newReader(c *Conn, src io.Reader) *reader {
	small := make([]byte, smallRead)
	return &reader{c: c, src: src, buf: small, small: small}
}

type inKey struct {
	class class
	id    uint32
}

// run reads until the connection ends and returns why it has.
func (r *reader) run() error {
	for {
		if err := r.fill(headerSize); err != nil {
			return err
		}
		if r.sums != nil {
			if err := r.check(); err != nil {
				return err
			}
		}
		h, err := parseHeader(r.buf[r.r:])
		if err != nil {
			return err
		}
		r.r += headerSize
		if h.kind == kindBye {
			r.c.peerCloses()
			return r.readToEnd()
		}
		if err := r.frame(h); err != nil {
			return err
		}
	}
}

// check waits for all of the next frame, checks its sums, and takes them out. So nothing of a frame
// that was damaged has an effect.
func (r *reader) check() error {
	if err := r.fill(framesum.Head); err != nil {
		return err
	}
	size, found, expected := r.sums.CheckHead(r.buf[r.r:])
	if found != expected {
		return r.damaged(found, expected)
	}
	if size > maxPayload+framesum.Most {
		return protocolErrorf("%v frame with checksums: payload of %d bytes, limit is %d", kind(r.buf[r.r]), size-framesum.Most, maxPayload)
	}
	if err := r.fill(size); err != nil {
		return err
	}
	begin, found, expected := r.sums.Take(r.buf[r.r : r.r+size])
	if found != expected {
		return r.damaged(found, expected)
	}
	r.r += begin
	return nil
}

func (r *reader) damaged(found, expected uint32) error {
	frame, at := r.sums.Next()
	return &ChecksumError{Frame: frame, Offset: at, Found: found, Expected: expected}
}

// readToEnd drops what still comes, and returns what the connection says at its end, which is due.
func (r *reader) readToEnd() error {
	for {
		if _, err := r.src.Read(r.buf); err != nil {
			return err
		}
	}
}

// fill reads until buf holds n bytes at least, n being readSize at most.
func (r *reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	if n > smallRead { // what is there may not fit a small one either
		r.little = -1
	}
	r.move()
	for r.w < n {
		m, err := r.src.Read(r.buf[r.w:])
		if r.w += m; r.w < smallRead {
			r.little++
		} else {
			r.little = -1
		}
		if err == io.EOF && r.w > 0 && r.w < n {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && r.w < n {
			return err
		}
	}
	return nil
}

// move moves what is left to the beginning of the buffer that is to be read into.
func (r *reader) move() {
	left, old := r.buf[r.r:r.w], r.buf
	switch isSmall := len(old) == smallRead; {
	case isSmall && r.little < 0:
		r.buf = readPool.Get().(*[readSize]byte)[:]
	case !isSmall && r.little >= littleReads:
		r.buf = r.small
	}
	r.r, r.w = 0, copy(r.buf, left)
	if len(old) > len(r.buf) {
		readPool.Put((*[readSize]byte)(old))
	}
}

// read fills p with the next bytes.
func (r *reader) read(p []byte) error {
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	if n == len(p) {
		return nil
	}
	_, err := io.ReadFull(r.src, p[n:])
	return unexpected(err)
}

// unexpected is for the end of the stream within a frame.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frame reads the payload of a frame and does what the frame says.
func (r *reader) frame(h header) error {
	if base, by, ok := h.kind.ofStream(); ok {
		return r.c.streams.frame(r, base, by, h)
	}
	w := &r.c.writer
	base, c := h.kind.split()
	switch base {
	case kindWhole:
		if c == urgent {
			return r.urgent(h)
		}
		return r.whole(c, h)
	case kindFirst:
		return r.first(c, h)
	case kindPiece:
		return r.piece(c, h)
	case kindAbort:
		return r.abort(c, h)
	case kindCredit:
		return r.c.peerTakes(c, int64(h.id))
	case kindGrant:
		w.update(func() { w.queues.grant(c, h.id) })
	case kindPing:
		w.update(func() { w.owed.owePong(h.id) })
	case kindPong:
		r.c.pong(h.id)
	case kindShutdown:
		r.c.peerShutsDown()
	case kindIdle:
		w.update(func() { w.end.farewell.hear(h.id) })
	default:
		return r.skip(int(h.length))
	}
	return nil
}

func (r *reader) whole(c class, h header) error {
	if int(h.length) > r.c.maxMessage {
		return protocolErrorf("%v message of %d bytes, limit is %d", c, h.length, r.c.maxMessage)
	}
	if c == notification && r.inNotification {
		return protocolErrorf("notification comes before the one ahead of it has ended")
	}
	if err := r.c.credits.arrive(c, r.c.sizing.cost(int(h.length))); err != nil {
		return err
	}
	msg := make([]byte, h.length)
	if err := r.read(msg); err != nil {
		return err
	}
	r.c.deliver(c, msg)
	return nil
}

func (r *reader) urgent(h header) error {
	msg := make([]byte, h.length)
	if err := r.read(msg); err != nil {
		return err
	}
	if !r.c.server.deliver(inbound{urgent, msg}) {
		return protocolErrorf("%d urgent messages more than there are calls without a reply", maxUrgents)
	}
	return nil
}

func (r *reader) skip(n int) error {
	for n > 0 {
		part := min(n, maxPayload)
		if err := r.read(make([]byte, part)); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

func (r *reader) first(c class, h header) error {
	var length [8]byte
	if err := r.read(length[:]); err != nil {
		return err
	}
	total := binary.LittleEndian.Uint64(length[:])
	key := inKey{c, h.id}
	switch {
	case total <= maxPayload:
		return protocolErrorf("first frame of %v message %d: length %d fits one frame", c, h.id, total)
	case total > uint64(r.c.maxMessage):
		return protocolErrorf("%v message of %d bytes, limit is %d", c, total, r.c.maxMessage)
	case r.unfinished[key] != nil:
		return protocolErrorf("first frame of %v message %d, which is open already", c, h.id)
	case c == notification && r.inNotification:
		return protocolErrorf("notification %d begins before the one ahead of it has ended", h.id)
	}
	if err := r.c.credits.arrive(c, r.c.sizing.cost(int(total))); err != nil {
		return err
	}
	m := &inMsg{class: c, id: h.id, total: int(total)}
	m.granted = !r.c.sizing.needsGrant(m.total)
	if m.granted { // the credit bounds how many there are
		m.data = make([]byte, firstData, m.total)
	} else {
		m.data = make([]byte, firstData)
	}
	if err := r.read(m.data); err != nil {
		return err
	}
	if r.unfinished == nil {
		r.unfinished = make(map[inKey]*inMsg)
	}
	r.unfinished[key] = m
	r.inNotification = r.inNotification || c == notification
	if !m.granted {
		r.c.grant(r.c.grants.add(m))
	}
	return nil
}

// forget takes out a message, whole or aborted. At most one notification is unfinished.
func (r *reader) forget(key inKey) {
	delete(r.unfinished, key)
	if key.class == notification {
		r.inNotification = false
	}
}

func (r *reader) piece(c class, h header) error {
	key := inKey{c, h.id}
	m := r.unfinished[key]
	switch {
	case m == nil:
		return protocolErrorf("piece of %v message %d, which is not open", c, h.id)
	case int(h.length) > m.total-len(m.data):
		return protocolErrorf("piece of %v message %d goes beyond its length of %d", c, h.id, m.total)
	case !r.c.grants.has(m):
		return protocolErrorf("piece of %v message %d, which has not been granted", c, h.id)
	}
	n := len(m.data)
	m.grow(int(h.length), max(trustSize, min(r.largest, maxTrust)))
	if err := r.read(m.data[n:]); err != nil {
		return err
	}
	if len(m.data) == m.total {
		r.forget(key)
		r.largest = max(r.largest, m.total)
		r.c.deliver(c, m.data)
	}
	return nil
}

// grow makes m.data n bytes longer. It takes so much memory without having that much.
func (m *inMsg) grow(n, trust int) {
	have := len(m.data)
	if have+n > cap(m.data) {
		size := max(trust, 4*cap(m.data))
		if size+size/4 >= m.total { // not once more for a little rest
			size = m.total
		}
		grown := make([]byte, have, size)
		copy(grown, m.data)
		m.data = grown
	}
	m.data = m.data[:have+n]
}

func (r *reader) abort(c class, h header) error {
	key := inKey{c, h.id}
	m := r.unfinished[key]
	if m == nil {
		return protocolErrorf("abort of %v message %d, which is not open", c, h.id)
	}
	r.forget(key)
	r.c.grant(r.c.grants.abort(m))
	r.c.owe(c, r.c.sizing.cost(m.total))
	r.c.arrived()
	return nil
}
