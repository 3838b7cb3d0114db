package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"sync"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// raw is a child that speaks to its parent byte for byte, so that it can say what no peer says. Until
// it lies it keeps to docs/PROTOCOL.md.
type raw struct {
	link  io.ReadWriteCloser
	in    *bufio.Reader
	lie   *lie
	lied  bool
	hello []byte // head of the parent's hello

	mu sync.Mutex // held for a write
}

// speak is the life of such a child.
func speak(l *lie) error {
	link, err := handles.RawLink()
	if err != nil {
		return err
	}
	// Until a child has said hello a Read of its link waits for the end: so its pipe, which is the
	// first of those that it has inherited, is opened once more.
	in, err := os.Open("/proc/self/fd/3")
	if err != nil {
		return err
	}
	r := &raw{link: link, in: bufio.NewReader(in), lie: l}
	if l.hello != nil {
		l.hello(r)
		return r.drain()
	}
	r.write(helloWith())
	if err := r.readHello(); err != nil {
		return nil // the parent has gone
	}
	for class := range byte(3) {
		if l.miser {
			break
		}
		r.write(frame(kindCredit+class, 1<<29, nil))
	}
	for {
		kind, id, payload, err := r.readFrame()
		if err != nil {
			return nil
		}
		r.answer(kind, id, payload)
	}
}

// drain reads until the parent has closed the link.
func (r *raw) drain() error {
	io.Copy(io.Discard, r.in)
	return nil
}

// write writes what it gets. That it may be too much for the parent is in the nature of a lie.
func (r *raw) write(b []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.link.Write(b)
	return err
}

func (r *raw) readHello() error {
	r.hello = make([]byte, 16)
	if _, err := io.ReadFull(r.in, r.hello); err != nil {
		return err
	}
	rest := make([]byte, binary.LittleEndian.Uint32(r.hello[12:]))
	_, err := io.ReadFull(r.in, rest)
	r.hello = append(r.hello, rest...)
	return err
}

func (r *raw) readFrame() (kind byte, id uint32, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return 0, 0, nil, err
	}
	payload = make([]byte, binary.LittleEndian.Uint16(head[2:]))
	_, err = io.ReadFull(r.in, payload)
	return head[0], binary.LittleEndian.Uint32(head[4:]), payload, err
}

// answer does what a peer would with a frame, or lies.
func (r *raw) answer(kind byte, id uint32, payload []byte) {
	l := r.lie
	if l.onFrame != nil && l.onFrame(r, kind, id, payload) {
		return
	}
	switch kind {
	case kindPing:
		r.write(frame(kindPong, id, nil))
	case kindWhole: // of a call
		m, err := message.Parse(payload, 100)
		if err != nil {
			return
		}
		if !r.lied && l.say != nil {
			r.lied = true
			if l.beside {
				go l.say(r, m.ID)
			} else {
				l.say(r, m.ID)
			}
			if l.answers {
				return
			}
		}
		arg := null
		if n, rest, err := mpack.ReadArray(m.Body); err == nil && n == 1 {
			arg = rest
		}
		r.write(replies(response(m.ID, nil, arg)))
	}
}

// Kinds and classes of frames.
const (
	kindWhole    = 0x10
	kindUrgent   = 0x13
	kindFirst    = 0x14
	kindPiece    = 0x18
	kindAbort    = 0x1c
	kindCredit   = 0x20
	kindGrant    = 0x24
	kindPing     = 0x30
	kindPong     = 0x31
	kindBye      = 0x32
	kindShutdown = 0x33
	kindIdle     = 0x34
	kindOpen     = 0x40
	kindAccept   = 0x41
	kindData     = 0x42
	kindMore     = 0x44
	kindEnd      = 0x46
	kindStop     = 0x48
	kindReset    = 0x4a

	call, reply, notification = 0, 1, 2

	most = 32768 // bytes of a payload
)

// frame returns a frame.
func frame(kind byte, id uint32, payload []byte) []byte {
	return append(frameHead(kind, 0, len(payload), id), payload...)
}

// frameHead returns the header of a frame that says what it is told.
func frameHead(kind, second byte, length int, id uint32) []byte {
	b := []byte{kind, second}
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, id)
}

// first returns a first frame, which is full, of a message that is to have total bytes.
func first(class byte, id uint32, total uint64, begin []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, total)
	b = append(b, begin...)
	return frame(kindFirst+class, id, append(b, make([]byte, most-len(b))...))
}

// numbers are those of a payload.
func numbers(list ...uint32) (b []byte) {
	for _, n := range list {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// Parts of messages.
var (
	null  = []byte{0xc0}
	none  = []byte{0x90} // no params
	never = []byte{0xc1} // begins no value
)

// array returns an array of values.
func array(values ...[]byte) []byte {
	b := mpack.AppendArray(nil, len(values))
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

// pairs returns a map of keys and values by turns.
func pairs(values ...[]byte) []byte {
	b := mpack.AppendMap(nil, len(values)/2)
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

func str(s string) []byte { return mpack.AppendString(nil, s) }
func num(n uint64) []byte { return mpack.AppendUint(nil, n) }
func bin(b []byte) []byte { return mpack.AppendBin(nil, b) }

func request(id uint32, method string, params []byte) []byte {
	return array(num(0), num(uint64(id)), str(method), params)
}

func response(id uint32, err, result []byte) []byte {
	if err == nil {
		err = null
	}
	return array(num(1), num(uint64(id)), err, result)
}

func note(method string, params []byte) []byte { return array(num(2), str(method), params) }

// calls, replies and notes are messages of one frame, notes of notifications.
func calls(msg []byte) []byte   { return frame(kindWhole+call, 0, msg) }
func replies(msg []byte) []byte { return frame(kindWhole+reply, 0, msg) }
func notes(msg []byte) []byte   { return frame(kindWhole+notification, 0, msg) }
func cancel(params []byte) []byte {
	return frame(kindUrgent, 0, note("$/cancel", params))
}

// nested is depth values, each of which is all there is in the one around it.
func nested(head byte, depth int) []byte {
	b := make([]byte, depth)
	for i := range b {
		b[i] = head
	}
	return append(b, 0xc0)
}
