package viaduct

import (
	"log/slog"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Log records travel as notifications of the protocol's own:
//
//	[2, "$/log", [dropped, record, record, ...]]
//	record: [time, level, message, {key: value, ...}, [function, file, line]]
//
// Whoever logs sends its record itself if that needs no waiting, so that what
// it says just before its end arrives. Otherwise the record is queued for a worker, or, if there is no room, counted.
//
//	logHandler -> logEncoder -> link.TrySend        link -> receive -> logTaker -> (worker) -> decodeLogRecord -> slog.Handler
//	                 \-> logSender -> (worker) -> link.Send
const (
	// logQueue is how many bytes of records wait, on either side. Each message that waits counts with noteCost on top.
	logQueue = 1 << 20
	// maxLogRecord is the largest record that is taken, in bytes.
	maxLogRecord = 64 << 10
	// logFrame is how long a message of records may become: as much as a frame of package duplex carries. One that is
	// longer would have to wait for the other side's grant of its rest, and what is said just before the end must not wait.
	logFrame = 32 << 10
	// maxLogDepth is how deep maps may nest: the attributes of the record are one, and each group is.
	maxLogDepth = 32
	// extDuration is the ext type of a time.Duration: its nanoseconds in eight bytes.
	extDuration = 100
)

// logHead is what the head of a message takes up to its first record: it has room for any numbers, which are filled in last.
const logHead = 2 + 1 + len(logMethod) + 3 + 9

// appendLogHead appends the head of a message of one record, before which none were dropped.
func appendLogHead(b []byte) []byte {
	b = appendNotification(b, logMethod)
	return append(b, 0xdc, 0, 2, 0xcf, 0, 0, 0, 0, 0, 0, 0, 0)
}

// readLogHead returns how many records the params of a message have, how many
// its sender has dropped before them, and the records.
func readLogHead(params []byte) (n int, dropped uint64, records []byte, err error) {
	n, rest, err := mpack.ReadArray(params)
	if err != nil {
		return 0, 0, nil, err
	}
	if dropped, records, err = mpack.ReadUint(rest); err != nil {
		return 0, 0, nil, err
	}
	return n - 1, dropped, records, nil
}

// LogHandler returns a handler whose records go to the Options.LogHandler of the other side, with their
// times, levels, messages, sources (as an attribute with the key [slog.SourceKey]) and attributes. It never waits: 1 MiB of
// records wait for a link that is busy, or for a peer that is stopped; of those beyond, the other side's
// handler gets the number, as soon as there is room again. If the other side has no LogHandler, or the link has ended, it is not enabled.
//
// opts may be nil. ReplaceAttr is called for attributes alone: the other fields are the other side's to show.
//
// Attributes keep the kinds of package slog, but [slog.KindAny]: errors, types with MarshalText and all others cross as the text
// that a [slog.TextHandler] would write; nil and []byte as they are. Of a record that takes more than 32 KiB
// the attributes are left out, which an attribute "!TOOLARGE" says, and so is the end of its message if that alone takes more. Groups nest 31 deep at most.
func (e *Endpoint) LogHandler(opts *slog.HandlerOptions) slog.Handler {
	return newLogHandler(&e.logSender, opts)
}

// LogDrops returns how many log records were dropped so far, as far as this side knows: out of those that were to go out through
// LogHandler, and of those from the other side that Options.LogHandler has not got.
func (e *Endpoint) LogDrops() (out, in uint64) {
	return e.logSender.dropped(), e.logTaker.dropped()
}
