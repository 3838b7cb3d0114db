package mpack

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// ExtTime is the ext type of a timestamp, which MessagePack defines itself.
const ExtTime = -1

// AppendTime appends t to b as a timestamp, in the shortest of its three formats.
func AppendTime(b []byte, t time.Time) []byte {
	secs, nano := t.Unix(), t.Nanosecond()
	switch {
	case uint64(secs)>>34 != 0:
		b = binary.BigEndian.AppendUint32(append(b, 0xc7, 12, 0xff), uint32(nano))
		return binary.BigEndian.AppendUint64(b, uint64(secs))
	case nano != 0 || secs > math.MaxUint32:
		return binary.BigEndian.AppendUint64(append(b, 0xd7, 0xff), uint64(nano)<<34|uint64(secs))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xd6, 0xff), uint32(secs))
}

// AppendZonedTime appends t to b as a timestamp of 96 bits with its offset behind it: seconds east
// of UTC, 32 bits. MessagePack knows no such format.
func AppendZonedTime(b []byte, t time.Time) []byte {
	_, offset := t.Zone()
	b = binary.BigEndian.AppendUint32(append(b, 0xd8, 0xff), uint32(t.Nanosecond()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(int32(offset)))
}

// ParseTime reads the payload of a timestamp. The time is in UTC, or at the offset that came with
// it.
func ParseTime(p []byte) (time.Time, error) {
	var secs int64
	var nano uint32
	switch len(p) {
	case 4:
		secs = int64(binary.BigEndian.Uint32(p))
	case 8:
		n := binary.BigEndian.Uint64(p)
		nano, secs = uint32(n>>34), int64(n&(1<<34-1))
	case 12:
		nano, secs = binary.BigEndian.Uint32(p), int64(binary.BigEndian.Uint64(p[4:]))
	case 16:
		t, err := ParseTime(p[:12])
		return at(t, int32(binary.BigEndian.Uint32(p[12:]))), err
	default:
		return time.Time{}, fmt.Errorf("timestamp of %d bytes, expected 4, 8, 12 or 16", len(p))
	}
	if nano > 999999999 {
		return time.Time{}, fmt.Errorf("timestamp with %d nanoseconds", nano)
	}
	return time.Unix(secs, int64(nano)).UTC(), nil
}

// at returns t at an offset: in the local zone if that has it then, as package time does when it
// reads a time.
func at(t time.Time, offset int32) time.Time {
	local := t.Local()
	if _, there := local.Zone(); there == int(offset) {
		return local
	}
	return t.In(time.FixedZone("", int(offset)))
}
