package rpctest

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/procspawn"
)

// What docs/PROTOCOL.md has, and has not.
const (
	helloMagic   = "\xf1VIADUCT"
	unknownKind  = 0x50
	kindWhole    = 0x11 // of a reply
	tooLong      = 0xffff
	futureProto  = 9000
	unknownMsgid = 4_000_000_000
)

// junk returns bytes that mean nothing.
func junk() []byte {
	b := make([]byte, 4096)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0] = 0x7f // neither the first byte of a hello nor the kind of a frame
	return b
}

// helloWith returns a hello with an empty map of which it says that it is so long.
func helloWith(version uint16, size uint32) []byte {
	b := []byte(helloMagic)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint32(b, size)
	return mpack.AppendMap(b, 0)
}

// lieAtStart says something else than a hello, until the parent has had enough.
func (o *order) lieAtStart(lie Act) int {
	link, err := handles.RawLink()
	if err != nil {
		return failed(err)
	}
	b := junk()
	switch lie {
	case LieVersion:
		b = helloWith(futureProto, 1)
	case LieLength:
		b = helloWith(1, 0xffffffff)
	}
	link.Write(b) // it may be too much for the parent
	io.Copy(io.Discard, link)
	return 0
}

// lie serves the parent by frames and messages of its own making until the link ends.
func (o *order) lie() int {
	opts := &procspawn.Options{Name: o.Name, Version: o.Version}
	handles.SetHello(opts, handles.Hello{MaxMessage: handles.DefaultMaxMessage, Encoding: "msgpack", Bodies: []string{"msgpack", "gob"}})
	if o.staysOn() {
		opts.ExitTimeout = -1
	}
	link, err := procspawn.Inherited(context.Background(), opts)
	if err != nil {
		return failed(err)
	}
	conn := duplex.New(link, nil)
	defer conn.Close()
	l := &liar{order: o, link: link, lane: conn.ServerLane(), counts: newCounts()}
	for _, m := range o.at(AtHello) {
		l.do(m, 0)
	}
	for {
		msg, err := l.lane.ReadMessage()
		if err != nil {
			return o.end()
		}
		if err := l.serve(msg); err != nil {
			return failed(err)
		}
	}
}

// liar is a Child that says what no Peer says.
type liar struct {
	*order
	link   io.Writer
	lane   *duplex.Lane
	counts counts
}

// maxDepth is that of what a liar looks at.
const maxDepth = 1000

func (l *liar) serve(b []byte) error {
	m, err := message.Parse(b, maxDepth)
	if err != nil {
		return err
	}
	answered, times := m.Kind == message.Notification, 1
	for _, misdeed := range l.counts.due(l.order, string(m.Method)) {
		if misdeed.Do == LieTwice {
			times = 2
		}
		answered = l.do(misdeed, m.ID) || answered
	}
	if answered {
		return nil
	}
	arg := m.Body
	if n, rest, err := mpack.ReadArray(arg); err == nil && n == 1 {
		arg = rest
	}
	var msg []byte
	if reply, err := l.answer(string(m.Method), arg); err != nil {
		msg = message.AppendErrorText(nil, m.ID, err.Error())
	} else {
		msg = replyOf(m.ID, reply)
	}
	for range times {
		if err := l.lane.WriteMessage(msg); err != nil {
			return err
		}
	}
	return nil
}

// do does m, and reports whether the call with this msgid needs no answer any more.
func (l *liar) do(m Misdeed, id uint32) (answered bool) {
	switch m.Do {
	case LieJunk:
		l.link.Write(junk())
	case LieFrame:
		l.link.Write([]byte{unknownKind, 0, 0, 0, 0, 0, 0, 0})
	case LieLength:
		l.link.Write([]byte{kindWhole, 0, tooLong & 0xff, tooLong >> 8, 0, 0, 0, 0})
	case LieReply:
		l.lane.WriteMessage(replyOf(unknownMsgid, mpack.AppendNil(nil)))
	case LieBody:
		l.lane.WriteMessage(replyOf(id, []byte{0xc1})) // which starts no value
		return true
	case LieTwice: // serve does it
	default:
		act(m)
	}
	return false
}

// replyOf returns a reply with a value.
func replyOf(id uint32, value []byte) []byte {
	b := mpack.AppendArray(nil, 4)
	b = mpack.AppendUint(b, message.Response)
	b = mpack.AppendUint(b, uint64(id))
	b = mpack.AppendNil(b)
	return append(b, value...)
}
