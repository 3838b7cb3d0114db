package tap

import (
	"encoding/binary"
	"math"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// The types of messages.
const (
	Request      = 0
	Response     = 1
	Notification = 2
)

// cancelMethod is the notification whose param is the msgid of a call.
const cancelMethod = "$/cancel"

// Name is what names a message.
type Name struct {
	Type   uint8  // Request, Response or Notification
	Failed bool   // of a response: it has an error
	Cut    bool   // the method is longer: it was cut
	ID     uint32 // of a request or response, and of the call that a cancel is about
	Method string // of a request or notification
}

// nameSize is that of a Name in a record, ahead of its method: type, flags, id.
const nameSize = 1 + 1 + 4

const (
	flagFailed = 1 << 0
	flagCut    = 1 << 1
)

// NameOf reads what names a message from its beginning. ok is false if that is no message.
func NameOf(b []byte) (n Name, ok bool) {
	h, err := mpack.ReadHead(b)
	if err != nil || h.Kind != mpack.Array || h.Elems < 3 {
		return n, false
	}
	kind, b, err := mpack.ReadUint(b[h.Size:])
	if err != nil || kind > Notification {
		return n, false
	}
	if n.Type = uint8(kind); n.Type != Notification {
		var id uint64
		if id, b, err = mpack.ReadUint(b); err != nil || id > math.MaxUint32 {
			return n, false
		}
		n.ID = uint32(id)
	}
	if n.Type == Response {
		h, err := mpack.ReadHead(b)
		n.Failed = err != nil || h.Kind != mpack.Nil
		return n, len(b) > 0
	}
	h, err = mpack.ReadHead(b)
	if err != nil || h.Kind != mpack.Str {
		return n, false
	}
	b = b[h.Size:]
	size := min(int64(h.Bytes), int64(len(b)), keepName)
	n.Cut = size < int64(h.Bytes)
	n.Method = string(b[:size])
	if n.Type == Notification && n.Method == cancelMethod {
		if params, rest, err := mpack.ReadArray(b[size:]); err == nil && params > 0 {
			if id, _, err := mpack.ReadUint(rest); err == nil && id <= math.MaxUint32 {
				n.ID = uint32(id)
			}
		}
	}
	return n, true
}

// append appends n as it stands in a record without contents.
func (n *Name) append(b []byte) []byte {
	flags := byte(0)
	if n.Failed {
		flags |= flagFailed
	}
	if n.Cut {
		flags |= flagCut
	}
	b = append(b, n.Type, flags)
	b = binary.LittleEndian.AppendUint32(b, n.ID)
	return append(b, n.Method...)
}

// parseName is the inverse.
func parseName(b []byte) (n Name, ok bool) {
	if len(b) < nameSize || b[0] > Notification {
		return n, false
	}
	return Name{
		Type: b[0], Failed: b[1]&flagFailed != 0, Cut: b[1]&flagCut != 0,
		ID: binary.LittleEndian.Uint32(b[2:]), Method: string(b[nameSize:]),
	}, true
}
