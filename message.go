package viaduct

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// The types of MessagePack-RPC messages, their first element.
const (
	typeRequest      = 0 // [0, msgid, method, params]
	typeResponse     = 1 // [1, msgid, error, result]
	typeNotification = 2 // [2, method, params]
)

// message is a MessagePack-RPC message taken apart. Its fields alias the bytes it came in.
type message struct {
	kind   uint8
	id     uint32 // of a request or response
	method []byte // of a request or notification
	err    []byte // of a response: an encoded value, nil if there was no error
	body   []byte // params, an array, or result: encoded and, if last, not checked
	extra  []byte // the element behind params, nil if there is none
	unsure bool   // err or body is not checked, and may have more behind it
	size   int    // of the whole message
}

// maxLook is the size of the longest message whose values the reader looks through: 64 KiB take it less than a
// millisecond, whatever is in them, 128 MiB more than a second.
const maxLook = 64 << 10

// parseMessage takes b apart. It checks what it reads and no more: the body is
// checked when it is decoded, at the cost of one call. maxDepth is for values that have to be skipped.
func parseMessage(b []byte, maxDepth int) (message, error) {
	m := message{size: len(b)}
	n, rest, err := mpack.ReadArray(b)
	if err != nil {
		return m, &ProtocolError{"message is not an array", err}
	}
	kind, rest, err := mpack.ReadUint(rest)
	if err != nil {
		return m, &ProtocolError{"message type is not a number", err}
	}
	if kind > typeNotification {
		return m, &ProtocolError{fmt.Sprintf("message type is %d, expected 0, 1 or 2", kind), nil}
	}
	m.kind = uint8(kind)
	want := 4
	if m.kind == typeNotification {
		want = 3
	}
	// One element more says more of the call (see callInfo), or is room for growth.
	if n < want || n > want+1 || m.kind == typeResponse && n > want {
		return m, &ProtocolError{fmt.Sprintf("message of type %d has %d elements, expected %d", kind, n, want), nil}
	}
	if m.kind != typeNotification {
		id, after, err := mpack.ReadUint(rest)
		if err != nil {
			return m, &ProtocolError{"msgid is not a number", err}
		}
		if id > math.MaxUint32 {
			return m, &ProtocolError{fmt.Sprintf("msgid %d has more than 32 bits", id), nil}
		}
		m.id, rest = uint32(id), after
	}
	if m.kind == typeResponse {
		return m, m.splitResponse(rest, maxDepth)
	}
	if m.method, rest, err = mpack.ReadString(rest); err != nil {
		return m, &ProtocolError{fmt.Sprintf("method name of message of type %d", kind), err}
	}
	m.body = rest
	if n > want {
		m.splitParams(maxDepth)
	}
	return m, nil
}

// splitResponse splits b, the last two elements of a response.
func (m *message) splitResponse(b []byte, maxDepth int) error {
	h, err := mpack.ReadHead(b)
	switch {
	case err != nil:
	case h.Kind == mpack.Nil:
		m.body = b[h.Size:]
		return nil
	case m.size > maxLook:
		m.err, m.unsure = b, true
		return nil
	default:
		var size int
		if size, err = mpack.Skip(b, maxDepth); err == nil {
			m.err, m.body = b[:size:size], b[size:]
			return nil
		}
	}
	return &ProtocolError{fmt.Sprintf("error of response %d", m.id), err}
}

// splitParams splits body, params and the element behind them.
func (m *message) splitParams(maxDepth int) {
	size := 0
	if m.size > maxLook {
		size = len(m.body) - sizeAtEnd(m.body)
		m.unsure = size == len(m.body)
	} else {
		size, _ = mpack.Skip(m.body, maxDepth)
	}
	if size > 0 && size < len(m.body) {
		m.body, m.extra = m.body[:size:size], m.body[size:]
	}
}

// checkParams is for who decodes the params of a request.
func (m *message) checkParams(maxDepth int) {
	if m.unsure {
		m.unsure = false
		if size, err := mpack.Skip(m.body, maxDepth); err == nil {
			m.body = m.body[:size:size]
		}
	}
}

// checkedError returns the error of a response for who decodes it.
func (m *message) checkedError(maxDepth int) []byte {
	if !m.unsure {
		return m.err
	}
	size, err := mpack.Skip(m.err, maxDepth)
	if err != nil {
		return mpack.AppendString(nil, fmt.Sprintf("viaduct: cannot decode the error that came, %d bytes: %v", len(m.err), err))
	}
	return m.err[:size]
}

// parameter returns the one argument in a request's params, nil if there is none.
func (m *message) parameter() ([]byte, error) {
	n, arg, err := mpack.ReadArray(m.body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("params are not an array: %w", err)
	case n > 1:
		return nil, fmt.Errorf("type mismatch: call has %d parameters, the method takes one", n)
	case n == 1:
		return arg, nil
	case len(arg) > 0:
		return nil, mpack.ErrTrailing
	}
	return nil, nil
}

// The notifications that are the protocol's own.
const (
	cancelMethod = "$/cancel" // nobody waits for a reply any more
	logMethod    = "$/log"    // log records
)

var (
	errCancelName = errors.New("this name is the protocol's own: to cancel a call end the context that was given to CallContext")
	errLogName    = errors.New("this name is the protocol's own: to log use LogHandler")
)

// ownName reports why a user's notification may not have this name.
func ownName(method string) error {
	switch method {
	case cancelMethod:
		return errCancelName
	case logMethod:
		return errLogName
	}
	return nil
}

func (m *message) isCancel() bool {
	return m.kind == typeNotification && string(m.method) == cancelMethod
}

func (m *message) isLog() bool {
	return m.kind == typeNotification && string(m.method) == logMethod
}

// cancelled returns the msgid that a cancel is about.
func (m *message) cancelled() (id uint32, err error) {
	n, rest, err := mpack.ReadArray(m.body)
	if err == nil && n == 0 { // more than one is room for growth
		err = errors.New("no params")
	}
	var num uint64
	if err == nil {
		num, _, err = mpack.ReadUint(rest)
	}
	if err == nil && num > math.MaxUint32 {
		err = fmt.Errorf("msgid %d has more than 32 bits", num)
	}
	if err != nil {
		return 0, &ProtocolError{cancelMethod + " names no msgid", err}
	}
	return uint32(num), nil
}

// idSize is what the head of a request or response takes up to its msgid, which is
// always written in full, so that it can be filled in last.
const idSize = 2 + 5

// appendRequest appends a request without its msgid (see setID) up to its params.
func appendRequest(b []byte, method string) []byte {
	b = append(b, 0x94, typeRequest, 0xce, 0, 0, 0, 0)
	return mpack.AppendString(b, method)
}

// setID sets the msgid of the request or response that begins at b[0].
func setID(b []byte, id uint32) { binary.BigEndian.PutUint32(b[idSize-4:], id) }

// appendNotification appends a notification up to its params.
func appendNotification(b []byte, method string) []byte {
	b = append(b, 0x93, typeNotification)
	return mpack.AppendString(b, method)
}

// appendReply appends a response without error up to its result.
func appendReply(b []byte, id uint32) []byte {
	b = append(b, 0x94, typeResponse, 0xce, 0, 0, 0, 0)
	setID(b, id)
	return mpack.AppendNil(b)
}

// appendErrorHead appends a response up to its error.
func appendErrorHead(b []byte, id uint32) []byte {
	b = append(b, 0x94, typeResponse, 0xce, 0, 0, 0, 0)
	setID(b[len(b)-idSize:], id)
	return b
}

// appendErrorReply appends a response that is the error text.
func appendErrorReply(b []byte, id uint32, text string) []byte {
	return mpack.AppendNil(mpack.AppendString(appendErrorHead(b, id), text))
}

// errorText writes out the error of a response, nil if it was none: peers other than viaduct send any type.
func errorText(b []byte) string {
	if b == nil {
		return ""
	}
	text, err := mpack.Text(b)
	if err != nil || text == "" {
		return unknownError
	}
	return text
}

// unknownError is what net/rpc gets for an error without a text, which it would take for none.
const unknownError = "unknown error"
