// Package message has the messages of MessagePack-RPC as bytes: it takes them apart and puts them
// together, with what goes with a call besides its arguments, and with errors that have parts.
//
// It assumes that each message comes whole. What the reader of a link calls (Parse, InfoOf,
// CancelledID) neither allocates for, nor takes longer than a limit over, what a peer has sent.
// docs/PROTOCOL.md describes the bytes, in section Messages.
package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// The types of messages, their first element.
const (
	Request      = 0 // [0, msgid, method, params]
	Response     = 1 // [1, msgid, error, result]
	Notification = 2 // [2, method, params]
)

// MaxID is the largest msgid.
const MaxID = math.MaxUint32

// ErrNoID says that no msgid is left.
var ErrNoID = errors.New("viaduct: 4,294,967,296 calls are pending: no msgid is left")

// LateReply is what a Logger is told of a response to no call.
const LateReply = "viaduct: dropped a reply: nobody waits for it any more"

// Message is a message taken apart. Its fields alias the bytes it came in.
type Message struct {
	Kind   uint8
	ID     uint32 // of a request or response
	Method []byte // of a request or notification
	Err    []byte // of a response: an encoded value, nil if there was no error
	Body   []byte // params, an array, or result: encoded and, if last, not checked
	Extra  []byte // the element behind params, nil if there is none
	Size   int    // of the whole message

	unchecked bool // Err or Body is not checked, and may have more behind it
}

// maxLook is the size of the longest message whose values the reader looks through: 64 KiB take it
// less than a millisecond, whatever is in them, 128 MiB more than a second.
const maxLook = 64 << 10

// Parse takes b apart. It checks what it reads and no more: the body is checked when it is decoded,
// at the cost of one call. maxDepth is for values that have to be skipped. The error is a
// *fault.ProtocolError.
func Parse(b []byte, maxDepth int) (Message, error) {
	if m, ok := parseUsual(b); ok {
		return m, nil
	}
	return parseAny(b, maxDepth)
}

// parseUsual is Parse of what most messages are: requests with a short name and nothing behind their
// params, and responses without an error, with heads as appendHead writes them.
func parseUsual(b []byte) (m Message, ok bool) {
	if len(b) <= idSize || b[0] != head4 || b[2] != headID {
		return m, false
	}
	rest := b[idSize:]
	switch b[1] {
	case Request:
		end := 1 + int(rest[0]^headShort)
		if end > 1+maxShort || end > len(rest) {
			return m, false
		}
		m.Method, m.Body = rest[1:end:end], rest[end:]
	case Response:
		if rest[0] != headNil {
			return m, false
		}
		m.Body = rest[1:]
	default:
		return m, false
	}
	m.Kind, m.ID, m.Size = b[1], binary.BigEndian.Uint32(b[idSize-4:]), len(b)
	return m, true
}

// parseAny is Parse of any message.
func parseAny(b []byte, maxDepth int) (Message, error) {
	m := Message{Size: len(b)}
	n, rest, err := mpack.ReadArray(b)
	if err != nil {
		return m, illegal(err, "message is not an array")
	}
	kind, rest, err := mpack.ReadUint(rest)
	if err != nil {
		return m, illegal(err, "message type is not a number")
	}
	if kind > Notification {
		return m, illegal(nil, "message type is %d, expected 0, 1 or 2", kind)
	}
	m.Kind = uint8(kind)
	want := 4
	if m.Kind == Notification {
		want = 3
	}
	// One element more says more of the call (see Info), or is room for growth.
	if n < want || n > want+1 || m.Kind == Response && n > want {
		return m, illegal(nil, "message of type %d has %d elements, expected %d", kind, n, want)
	}
	if m.Kind != Notification {
		if m.ID, rest, err = readID(rest); err != nil {
			return m, err
		}
	}
	if m.Kind == Response {
		return m, m.splitResponse(rest, maxDepth)
	}
	if m.Method, rest, err = mpack.ReadString(rest); err != nil {
		return m, illegal(err, "method name of message of type %d", kind)
	}
	m.Body = rest
	if n > want {
		m.splitParams(maxDepth)
	}
	return m, nil
}

// illegal is the error for what has no place in a message, err is what was found, if anything.
func illegal(err error, format string, args ...any) error {
	return &fault.ProtocolError{Reason: fmt.Sprintf(format, args...), Err: err}
}

func readID(b []byte) (uint32, []byte, error) {
	id, rest, err := mpack.ReadUint(b)
	if err != nil {
		return 0, nil, illegal(err, "msgid is not a number")
	}
	if id > MaxID {
		return 0, nil, illegal(nil, "msgid %d has more than 32 bits", id)
	}
	return uint32(id), rest, nil
}

// splitResponse splits b, the last two elements of a response.
func (m *Message) splitResponse(b []byte, maxDepth int) error {
	h, err := mpack.ReadHead(b)
	switch {
	case err != nil:
	case h.Kind == mpack.Nil:
		m.Body = b[h.Size:]
		return nil
	case m.Size > maxLook:
		m.Err, m.unchecked = b, true
		return nil
	default:
		var size int
		if size, err = mpack.Skip(b, maxDepth); err == nil {
			m.Err, m.Body = b[:size:size], b[size:]
			return nil
		}
		if _, tooDeep := err.(*mpack.TooDeepError); tooDeep { // costs this call, not the link
			m.Err, m.unchecked = b, true
			return nil
		}
	}
	return illegal(err, "error of response %d", m.ID)
}

// splitParams splits Body, params and the element behind them.
func (m *Message) splitParams(maxDepth int) {
	size := 0
	if m.Size > maxLook {
		size = len(m.Body) - sizeAtEnd(m.Body)
		m.unchecked = size == len(m.Body)
	} else {
		size, _ = mpack.Skip(m.Body, maxDepth)
	}
	if size > 0 && size < len(m.Body) {
		m.Body, m.Extra = m.Body[:size:size], m.Body[size:]
	}
}

// checkParams is for who decodes the params of a request.
func (m *Message) checkParams(maxDepth int) {
	if m.unchecked {
		m.unchecked = false
		if size, err := mpack.Skip(m.Body, maxDepth); err == nil {
			m.Body = m.Body[:size:size]
		}
	}
}

// checkedError returns the error of a response for who decodes it. It may be deeper than values may
// be: only its data is decoded, and the rest is to be read still.
func (m *Message) checkedError() []byte {
	if !m.unchecked {
		return m.Err
	}
	size, err := mpack.Skip(m.Err, body.MostDepth)
	if err != nil {
		return mpack.AppendString(nil, fmt.Sprintf("viaduct: cannot decode the error that came, %d bytes: %v", len(m.Err), err))
	}
	return m.Err[:size]
}

// The methods that are the protocol's own.
const (
	OwnPrefix = "$/" // of all of them

	CancelMethod  = "$/cancel"  // notification: nobody waits for a reply any more
	LogMethod     = "$/log"     // notification: log records
	SyncMethod    = "$/sync"    // request: answered when all notifications before it are handled
	SettleMethod  = "$/settle"  // request: answered when the methods of all calls cancelled before it have ended
	MethodsMethod = "$/methods" // request: answered with what there is to call
)

var (
	errCancelName = errors.New("this name is the protocol's own: to cancel a call end the context that was given to CallContext")
	errLogName    = errors.New("this name is the protocol's own: to log use LogHandler")
)

// OwnName reports why a user's notification may not have this name.
func OwnName(method string) error {
	switch method {
	case CancelMethod:
		return errCancelName
	case LogMethod:
		return errLogName
	}
	return nil
}

// IsCancel reports whether m is a cancel.
func (m *Message) IsCancel() bool {
	return m.Kind == Notification && string(m.Method) == CancelMethod
}

// IsLog reports whether m brings log records.
func (m *Message) IsLog() bool {
	return m.Kind == Notification && string(m.Method) == LogMethod
}

// IsOwn reports whether the method of m is one of the protocol's own.
func (m *Message) IsOwn() bool { return bytes.HasPrefix(m.Method, []byte(OwnPrefix)) }

// IsSettle reports whether m asks for the end of what was cancelled.
func (m *Message) IsSettle() bool {
	return m.Kind == Request && string(m.Method) == SettleMethod
}

// IsSync reports whether m is a sync.
func (m *Message) IsSync() bool {
	return m.Kind == Request && string(m.Method) == SyncMethod
}

// IsMethods reports whether m asks what there is to call.
func (m *Message) IsMethods() bool {
	return m.Kind == Request && string(m.Method) == MethodsMethod
}

// CancelledID returns the msgid of the call that a cancel is about.
func (m *Message) CancelledID() (id uint32, err error) {
	n, rest, err := mpack.ReadArray(m.Body)
	if err == nil && n == 0 { // more than one is room for growth
		err = errors.New("no params")
	}
	var num uint64
	if err == nil {
		num, _, err = mpack.ReadUint(rest)
	}
	if err == nil && num > MaxID {
		err = fmt.Errorf("msgid %d has more than 32 bits", num)
	}
	if err != nil {
		return 0, illegal(err, "%s names no msgid", CancelMethod)
	}
	return uint32(num), nil
}

// idSize is what the head of a request or response takes up to its msgid, which is always written
// in full, so that it can be filled in last.
const idSize = 2 + 5

// The first bytes of values that appendHead writes, and that usually follow.
const (
	head4     = 0x94 // an array of four
	headID    = 0xce // a number of 32 bits
	headShort = 0xa0 // a string, and its length in the last five bits
	headNil   = 0xc0
	maxShort  = 31
)

// SetID sets the msgid of the request or response that begins at b[0].
func SetID(b []byte, id uint32) { binary.BigEndian.PutUint32(b[idSize-4:], id) }

// appendHead appends the head of a request or response.
func appendHead(b []byte, kind byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, head4, kind, headID), id)
}

// AppendRequest appends a request without its msgid up to its params.
func AppendRequest(b []byte, method string) []byte {
	return mpack.AppendString(appendHead(b, Request, 0), method)
}

// AppendNotification appends a notification up to its params.
func AppendNotification(b []byte, method string) []byte {
	return mpack.AppendString(append(b, 0x93, Notification), method)
}

// AppendCancel appends the notification that nobody waits for the reply to request id.
func AppendCancel(b []byte, id uint32) []byte {
	return mpack.AppendUint(mpack.AppendArray(AppendNotification(b, CancelMethod), 1), uint64(id))
}

// appendReply appends a response without error up to its result.
func appendReply(b []byte, id uint32) []byte {
	return mpack.AppendNil(appendHead(b, Response, id))
}

// AppendDone appends the response of a method that returns nothing.
func AppendDone(b []byte, id uint32) []byte {
	return mpack.AppendNil(appendReply(b, id))
}

// AppendErrorText appends a response that is the error text.
func AppendErrorText(b []byte, id uint32, text string) []byte {
	return mpack.AppendNil(mpack.AppendString(appendHead(b, Response, id), text))
}
