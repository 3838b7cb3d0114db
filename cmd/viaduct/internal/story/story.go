// Package story tells what a record of a tap is about: who called what, how long it took, what waited.
//
// It assumes nothing of the record but what package tap has checked: frames may be missing, or make no
// sense. It promises to tell the rest all the same.
package story

import (
	"io"
	"time"

	"github.com/viaduct-go/viaduct/internal/tap"
)

// Story is what a record tells.
type Story struct {
	Begin    time.Time
	Contents bool // whole messages were recorded
	Links    []*Link
	Events   []*Event // in the order of the record
	Lost     uint64   // records that were not made, or not kept
	Full     bool     // the file has reached its bound: it ends before its links do

	// Err says why the record ends before its end: a *tap.CutError or *tap.DamagedError. What came before
	// is told.
	Err error
}

// Link is one of those that were recorded.
type Link struct {
	Number uint32
	Info   tap.Info
	Known  bool // its beginning is in the record
	Begin  time.Duration
	End    time.Duration // of what was recorded of it
	Ended  bool          // its end is in the record
	Gap    bool          // something of it is missing

	Calls   []*Call
	Streams []*Stream
}

// Here is what the side that has recorded is called, There the other one.
func (l *Link) Here() string {
	switch l.Info.Role {
	case tap.Parent, tap.Child:
		return l.Info.Role
	}
	return "here"
}

func (l *Link) There() string {
	switch l.Info.Role {
	case tap.Parent:
		return tap.Child
	case tap.Child:
		return tap.Parent
	}
	return "there"
}

// What says what an event is about.
type What string

const (
	LinkBegins   What = "link"
	LinkEnds     What = "end of link"
	CallMade     What = "call"
	Answer       What = "reply"
	Failure      What = "error" // an answer, too
	Notified     What = "notification"
	Cancelled    What = "cancel"
	Aborted      What = "abort"
	Credit       What = "credit"
	Granted      What = "grant"
	OutOfCredit  What = "no credit"  // it was so until now: Took
	WriteBlocked What = "write held" // the connection took nothing for so long: Took
	Ping         What = "ping"
	Pong         What = "pong"
	Shutdown     What = "shutdown"
	Idle         What = "idle"
	Bye          What = "bye"
	Opened       What = "stream open"
	Accepted     What = "stream accepted"
	StreamEnds   What = "stream end"
	Stopped      What = "stream stop"
	Reset        What = "stream reset"
	Data         What = "stream data"
	StreamCredit What = "stream credit"
	Piece        What = "piece"
	Lost         What = "lost"
	Full         What = "full"
	Unknown      What = "unknown"
)

// Event is something that was recorded.
type Event struct {
	At    time.Duration // since Story.Begin
	Link  *Link         // nil of what is about the record
	Out   bool          // it comes from the side that has recorded
	What  What
	Minor bool // one of many that say little

	ID     uint32
	Method string // of a call and what belongs to it, and of a notification
	Class  string // of credit and grants: "call", "reply" or "notification"
	Size   uint64 // bytes of a message or of data, or of credit
	Number uint64 // code of a reset, records lost, bytes not sent

	// Took is how long it took: a call until its answer, an answer since its call, a grant since the
	// message began, a pong since its ping, what waited since it did.
	Took time.Duration
	Call *Call
	// Stream is that of an event of a stream.
	Stream *Stream
	// Message has contents, if there are some and all of them are.
	Message []byte
}

// Call is a call or a notification.
type Call struct {
	Link         *Link
	Out          bool // made by the side that has recorded
	Notification bool
	ID           uint32
	Method       string
	Size         uint64
	Begin, End   time.Duration
	Answered     bool
	Failed       bool // with an error
	Cancelled    bool
	Aborted      bool // it has not arrived
	Request      *Event
	Reply        *Event // nil if it has none
}

// Stream is one that was opened.
type Stream struct {
	Link               *Link
	Out                bool // opened by the side that has recorded
	ID                 uint32
	Begin, End         time.Duration
	Sent               [2]uint64 // bytes: from the other side, from the side that has recorded
	Accepted, WasReset bool
	ends               int
}

// Ended reports whether both its halves have.
func (s *Stream) Ended() bool { return s.ends >= 2 || s.WasReset }

// Read reads a record to its end. The error is about its beginning, or src.
func Read(src io.Reader) (*Story, error) {
	r, err := tap.NewReader(src)
	if err != nil {
		return nil, err
	}
	b := newBuilder(r)
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			if !isEnd(err) {
				return nil, err
			}
			b.story.Err = err
			break
		}
		b.record(&rec)
	}
	return b.story, nil
}

func isEnd(err error) bool {
	switch err.(type) {
	case *tap.CutError, *tap.DamagedError:
		return true
	}
	return false
}
