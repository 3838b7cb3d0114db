package tap

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// ringParts is how many parts a ring has: the oldest of them is dropped at once.
const ringParts = 32

// ring keeps the latest records, and how each link of these has begun. Guarded by the Recorder's mu.
type ring struct {
	max    int64    // bytes of all parts
	parts  [][]byte // whole records; what is in them does not change
	size   int64
	lost   uint64            // records that were dropped
	begins map[uint32][]byte // records of the links whose begin was dropped
}

// append appends a record.
func (g *ring) append(r record, parts ...[]byte) {
	last := len(g.parts) - 1
	if last < 0 || int64(len(g.parts[last])) >= g.max/ringParts {
		g.parts = append(g.parts, nil)
		last++
	}
	before := len(g.parts[last])
	g.parts[last] = appendRecord(g.parts[last], r, parts...)
	g.size += int64(len(g.parts[last]) - before)
	for g.size > g.max && len(g.parts) > 1 {
		g.drop()
	}
}

// drop drops the oldest part.
func (g *ring) drop() {
	part := g.parts[0]
	g.parts[0] = nil
	g.parts = g.parts[1:]
	g.size -= int64(len(part))
	for len(part) > 0 {
		size := prefixSize + int(binary.LittleEndian.Uint32(part))
		one := part[:size:size]
		part = part[size:]
		link := binary.LittleEndian.Uint32(one[prefixSize+4:])
		switch Kind(one[prefixSize]) {
		case KindBegin:
			if g.begins == nil {
				g.begins = make(map[uint32][]byte)
			}
			g.begins[link] = slices.Clone(one) // not part, all of which it would keep
			continue
		case KindEnd:
			delete(g.begins, link)
		}
		g.lost++
	}
}

// snapshot returns a file of what there is.
func (g *ring) snapshot(contents bool, begin time.Time) [][]byte {
	head := appendHeader(nil, contents, begin)
	for _, link := range slices.Sorted(maps.Keys(g.begins)) {
		head = append(head, g.begins[link]...)
	}
	if g.lost > 0 {
		head = appendRecord(head, record{kind: KindLost}, binary.LittleEndian.AppendUint64(nil, g.lost))
	}
	return append([][]byte{head}, g.parts...)
}
