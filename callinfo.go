package viaduct

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// callInfo is what a request or notification says besides its method and params, in the element behind them.
type callInfo struct {
	timeout time.Duration // how much is left until the deadline; 0: there is none
	within  uint32        // msgid of the receiver's call that this one serves
	nested  bool          // within is set
	meta    []byte        // metadata: a map, encoded; nil if there is none

	deadline  time.Time // from timeout, when it came; zero: there is none
	malformed error     // why it could not be read
}

// Its keys.
const (
	keyTimeout = "timeout"
	keyWithin  = "within"
	keyMeta    = "meta"
	keySize    = "size" // how many bytes the element has; the last pair, its value in five bytes. In long messages
)

// infoEnd is what that pair begins with, and infoEndSize its size.
const (
	infoEnd     = "\xa4size\xce"
	infoEndSize = len(infoEnd) + 4
)

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

var errNoSize = fmt.Errorf("what is behind the params of a message of more than %d bytes does not end with its size", maxLook)

var errNoMetadata = fmt.Errorf("the other side takes no metadata: %w", errors.ErrUnsupported)

// appendInfo appends to the request or notification b what ctx says of it, if anything.
func (e *Endpoint) appendInfo(b []byte, ctx context.Context, oneWay bool) ([]byte, error) {
	meta := attached(ctx)
	if len(meta) > 0 {
		if !e.opts.extended() {
			return b, errNoMetadata
		}
		if err := checkMetadata(meta); err != nil {
			return b, err
		}
	}
	if !e.opts.extended() {
		return b, nil
	}
	n := 0
	deadline, limited := ctx.Deadline()
	limited = limited && !oneWay // there it is for the sending alone
	call := callOf(ctx)
	nested := call != nil && !oneWay && call.endpoint == e && call.call.kind == typeRequest
	for _, there := range []bool{limited, nested, len(meta) > 0} {
		if there {
			n++
		}
	}
	if n == 0 {
		return b, nil
	}
	long := len(b) > maxLook-2*maxMetadata // it may be then
	if long {
		n++
	}
	b[0]++ // one element more
	start := len(b)
	b = mpack.AppendMap(b, n)
	if limited {
		b = mpack.AppendString(b, keyTimeout)
		b = mpack.AppendUint(b, uint64(max(time.Until(deadline), 1)))
	}
	if nested {
		b = mpack.AppendString(b, keyWithin)
		b = mpack.AppendUint(b, uint64(call.call.id))
	}
	if len(meta) > 0 {
		b = mpack.AppendMap(mpack.AppendString(b, keyMeta), len(meta))
		for k, v := range meta {
			b = appendStrings(b, k, v)
		}
	}
	if long {
		b = append(b, infoEnd...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(b)+4-start))
	}
	return b, nil
}

// parseInfo takes apart what came behind the params. It neither allocates nor takes long: the reader calls it.
func parseInfo(b []byte) (info callInfo, err error) {
	if len(b) > 2*maxMetadata {
		return info, fmt.Errorf("%d bytes behind the params, at most %d were expected", len(b), 2*maxMetadata)
	}
	n, b, err := mpack.ReadMap(b)
	if err != nil {
		return info, fmt.Errorf("what is behind the params is no map: %w", err)
	}
	for range n {
		key, rest, err := mpack.ReadString(b)
		if err != nil {
			return info, fmt.Errorf("a key behind the params is no str: %w", err)
		}
		size, err := mpack.Skip(rest, maxInfoDepth)
		if err != nil {
			return info, fmt.Errorf("value of %.20q behind the params: %w", key, err)
		}
		value := rest[:size:size]
		b = rest[size:]
		var num uint64
		switch string(key) {
		case keyTimeout:
			if num, _, err = mpack.ReadUint(value); err == nil {
				info.timeout = time.Duration(max(1, min(num, math.MaxInt64)))
			}
		case keyWithin:
			if num, _, err = mpack.ReadUint(value); err == nil && num > math.MaxUint32 {
				err = fmt.Errorf("msgid %d has more than 32 bits", num)
			}
			info.within, info.nested = uint32(num), err == nil
		case keyMeta:
			info.meta = value
		}
		if err != nil {
			return info, fmt.Errorf("value of %q behind the params: %w", key, err)
		}
	}
	if len(b) > 0 {
		return info, mpack.ErrTrailing
	}
	return info, nil
}

// maxInfoDepth is how deep values of keys that are not known may nest.
const maxInfoDepth = 8

// infoOf returns what m says so, nil if it says nothing.
func infoOf(m *message) *callInfo {
	switch {
	case m.unsure:
		return &callInfo{malformed: errNoSize}
	case m.extra == nil:
		return nil
	}
	info, err := parseInfo(m.extra)
	info.malformed = err
	if info.timeout > 0 {
		info.deadline = time.Now().Add(info.timeout)
	}
	return &info
}

// late reports whether the deadline is over.
func (i *callInfo) late() bool {
	return i != nil && !i.deadline.IsZero() && !time.Now().Before(i.deadline)
}

// metadata decodes the pairs, nil if there are none.
func (i *callInfo) metadata() (map[string]string, error) {
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
