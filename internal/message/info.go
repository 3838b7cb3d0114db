package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Info is what a request or notification says besides its method and params, in the element behind
// them: a map.
type Info struct {
	Timeout  time.Duration     // how much is left until the deadline; 0: there is none
	Within   uint32            // if Nested: msgid of the receiver's call that this one serves
	Nested   bool              //
	Metadata map[string]string // what the caller attaches: see CheckMetadata
}

// Its keys.
const (
	keyTimeout = "timeout"
	keyWithin  = "within"
	keyMeta    = "meta"
)

// In a long message the element ends with its own size, so that the reader need not look through
// the params to find it: a last pair with this key, whose value takes five bytes.
const (
	infoEnd     = "\xa4size\xce"
	infoEndSize = len(infoEnd) + 4
)

// Bounds of metadata: bytes of all keys and values, and pairs.
const (
	maxMetadata      = 8 << 10
	maxMetadataPairs = 256
)

// CheckMetadata reports metadata that is too much.
func CheckMetadata(pairs map[string]string) error {
	size := 0
	for k, v := range pairs {
		size += len(k) + len(v)
	}
	if size > maxMetadata || len(pairs) > maxMetadataPairs {
		return fmt.Errorf("metadata of %d bytes in %d pairs: at most %d in %d were expected", size, len(pairs), maxMetadata, maxMetadataPairs)
	}
	return nil
}

// ErrNoMetadata says that metadata cannot be sent to a peer that is no viaduct.
var ErrNoMetadata = fmt.Errorf("the other side takes no metadata: %w", errors.ErrUnsupported)

// Append appends i to the request or notification b, if it says anything.
func (i *Info) Append(b []byte) []byte {
	n := 0
	for _, there := range []bool{i.Timeout > 0, i.Nested, len(i.Metadata) > 0} {
		if there {
			n++
		}
	}
	if n == 0 {
		return b
	}
	long := len(b) > maxLook-2*maxMetadata // it may be then
	if long {
		n++
	}
	b[0]++ // one element more
	start := len(b)
	b = mpack.AppendMap(b, n)
	if i.Timeout > 0 {
		b = mpack.AppendUint(mpack.AppendString(b, keyTimeout), uint64(i.Timeout))
	}
	if i.Nested {
		b = mpack.AppendUint(mpack.AppendString(b, keyWithin), uint64(i.Within))
	}
	if len(i.Metadata) > 0 {
		b = mpack.AppendMap(mpack.AppendString(b, keyMeta), len(i.Metadata))
		for k, v := range i.Metadata {
			b = mpack.AppendStrings(b, k, v)
		}
	}
	if long {
		b = append(b, infoEnd...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(b)+4-start))
	}
	return b
}

// sizeAtEnd returns the size of the element that b ends with, as it says, 0 if it does not.
func sizeAtEnd(b []byte) int {
	if len(b) < infoEndSize || string(b[len(b)-infoEndSize:len(b)-4]) != infoEnd {
		return 0
	}
	if size := binary.BigEndian.Uint32(b[len(b)-4:]); uint64(size) < uint64(len(b)) {
		return int(size)
	}
	return 0
}

// CallInfo is an Info that has come in. A nil *CallInfo says nothing.
type CallInfo struct {
	Within    uint32    // if Nested: msgid of the call of this side that the call serves
	Nested    bool      //
	Deadline  time.Time // zero: there is none
	Malformed error     // why it could not be read

	meta []byte // metadata: a map, encoded; nil if there is none
}

// InfoOf returns what m says so, nil if it says nothing. A timeout begins now.
func InfoOf(m *Message) *CallInfo {
	switch {
	case m.unchecked:
		return &CallInfo{Malformed: errNoSize}
	case m.Extra == nil:
		return nil
	}
	i := new(CallInfo)
	i.Malformed = i.parse(m.Extra)
	return i
}

var errNoSize = fmt.Errorf("what is behind the params of a message of more than %d bytes does not end with its size", maxLook)

// maxInfoDepth is how deep values of keys that are not known may nest.
const maxInfoDepth = 8

func (i *CallInfo) parse(b []byte) error {
	if len(b) > 2*maxMetadata {
		return fmt.Errorf("%d bytes behind the params, at most %d were expected", len(b), 2*maxMetadata)
	}
	rest, err := mpack.EachPair(b, maxInfoDepth, i.set)
	if err == nil && len(rest) > 0 {
		err = mpack.ErrTrailing
	}
	if err != nil {
		return fmt.Errorf("what is behind the params: %w", err)
	}
	return nil
}

func (i *CallInfo) set(key, value []byte) (err error) {
	var num uint64
	switch string(key) {
	case keyTimeout:
		if num, _, err = mpack.ReadUint(value); err == nil {
			i.Deadline = time.Now().Add(time.Duration(max(1, min(num, math.MaxInt64))))
		}
	case keyWithin:
		if num, _, err = mpack.ReadUint(value); err == nil && num > MaxID {
			err = fmt.Errorf("msgid %d has more than 32 bits", num)
		}
		i.Within, i.Nested = uint32(num), err == nil
	case keyMeta:
		i.meta = value
	}
	if err != nil {
		return fmt.Errorf("value of %q: %w", key, err)
	}
	return nil
}

// Late reports whether the deadline is over.
func (i *CallInfo) Late() bool {
	return i != nil && !i.Deadline.IsZero() && !time.Now().Before(i.Deadline)
}

// Forget lets go of the message that i came in.
func (i *CallInfo) Forget() {
	if i != nil {
		i.meta = nil
	}
}

// Metadata decodes the pairs that the caller has attached, nil if there are none.
func (i *CallInfo) Metadata() (map[string]string, error) {
	if i == nil || i.meta == nil {
		return nil, nil
	}
	n, b, err := mpack.ReadMap(i.meta)
	if err == nil && n > maxMetadataPairs {
		err = fmt.Errorf("%d pairs, at most %d were expected", n, maxMetadataPairs)
	}
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	pairs := make(map[string]string, n)
	for range n {
		var k, v []byte
		if k, b, err = mpack.ReadString(b); err == nil {
			v, b, err = mpack.ReadString(b)
		}
		if err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		pairs[string(k)] = string(v)
	}
	return pairs, nil
}
