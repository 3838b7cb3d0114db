// Package logwire carries log records to a slog.Handler of the other side.
//
// It assumes a link that can send a message if that needs no waiting, and workers for what has to
// wait. It promises that who logs never waits while the link is up, that what finds no room is
// counted and told, that what is logged just before the end is with the system if the link had
// nothing else to write, and that what the link takes no more goes to a fallback.
//
// Records travel as notifications of the protocol's own:
//
//	[2, "$/log", [dropped, record, record, ...]]
//	record: [time, level, message, {key: value, ...}, [function, file, line]]
//
// Whoever logs sends its record itself if that needs no waiting, so that what it says just before
// its end arrives. Otherwise the record is queued for a worker, or, if there is no room, counted.
//
//	handler -> encoder -> link.TrySend           link -> Taker.Take -> (worker) -> decodeRecord -> slog.Handler
//	               \-> Sender -> (worker) -> link.Send
//	       \-> fallback  <-------/
package logwire

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

const (
	// maxQueue is how many bytes of records wait, on either side. Each message that waits counts
	// with messageCost on top.
	maxQueue = 1 << 20
	// messageCost is what a message that waits takes besides its own bytes.
	messageCost = 128
	// maxRecord is the largest record that is taken, in bytes.
	maxRecord = 64 << 10
	// maxMessage is how long a message of records may become: as much as a frame of package duplex
	// carries. One that is longer would have to wait for the other side's grant of its rest, and
	// what is said just before the end must not wait.
	maxMessage = 32 << 10
	// maxDepth is how deep maps may nest: the attributes of the record are one, and each group is.
	maxDepth = 32
	// extDuration is the ext type of a time.Duration: its nanoseconds in eight bytes.
	extDuration = 100
)

// headSize is what the head of a message takes up to its first record: it has room for any numbers,
// which are filled in last.
const headSize = 2 + 1 + len(message.LogMethod) + 3 + 9

// appendHead appends the head of a message of one record, before which none were dropped.
func appendHead(b []byte) []byte {
	b = message.AppendNotification(b, message.LogMethod)
	return append(b, 0xdc, 0, 2, 0xcf, 0, 0, 0, 0, 0, 0, 0, 0)
}

// readHead returns how many records the params of a message have, how many
// its sender has dropped before them, and the records.
func readHead(params []byte) (n int, dropped uint64, records []byte, err error) {
	n, rest, err := mpack.ReadArray(params)
	if err != nil {
		return 0, 0, nil, err
	}
	if dropped, records, err = mpack.ReadUint(rest); err != nil {
		return 0, 0, nil, err
	}
	return n - 1, dropped, records, nil
}

// Host is the end of a link that records go out from and come in at.
type Host struct {
	Out      link.Link                                   // notifications go out by it
	In       link.Link                                   // and come in by it; perhaps the same
	Send     func(ctx context.Context, msg []byte) error // a notification, by Out
	Run      func(f func())                              // on a worker
	RunOpen  func(f func()) bool                         // Run, but false if the link has ended
	Up       context.Context                             // until the link ends
	Done     <-chan struct{}                             // closed when it has
	Fallback slog.Handler                                // for records of this side that cannot go out; nil: stderr, as text
	Ended    func() bool                                 // it has, or is about to

	holds atomic.Int32 // what an orderly end waits for on behalf of records
}

// hold counts what an orderly end waits for, on behalf of records alone.
func (h *Host) hold(delta int) {
	h.holds.Add(int32(delta))
	h.In.Working(delta)
}

// mayBegin reports whether more may be sent while the link is draining: if something is being
// served which may log. Records on their way, in either direction, do not count, or who logs all
// the time would keep the link from its end.
func (h *Host) mayBegin() bool {
	return h.Out.Draining() == nil || h.Out.Serving(int(h.holds.Load()))
}
