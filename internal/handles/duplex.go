package handles

import (
	"context"
	"net"
)

// Order is what whoever handles the messages of a lane tells, and asks, about the orderly end of its
// link, and about what was sent when it has ended.
type Order interface {
	// Send is Send of a *duplex.Lane. ticket stands for what was sent. With an error it is 0 if nothing
	// of msg can arrive. s is told when Send has to wait.
	Send(lane any, ctx context.Context, msg []byte, isNotification bool, s Sending) (ticket uint64, err error)

	// HasLeft reports, of a link that has ended, whether what ticket stands for may have arrived.
	HasLeft(ticket uint64) bool

	// Waiting reports whether this side waits for the other one: for the reply of a call, for a stream
	// to be accepted, or, in a send or a flush, for credit, for room or for a grant.
	Waiting() bool

	// OnWaiting has f called when this side may have begun to wait, from whoever does. f must not
	// block. It is set once.
	OnWaiting(f func())

	// Working counts something to wait for besides what is known of messages (delta 1), or that it
	// is done (delta -1): notifications that are handled after their Release, above all.
	Working(delta int)

	// Serving reports whether anything that the other side has sent is being worked on, besides own,
	// which is how much the caller has counted by Working. While the link is draining only that may begin more.
	Serving(own int) bool

	// Draining returns why nothing may be begun but what serves the calls in flight, nil if it may.
	Draining() error

	// Ending reports whether the link has ended, or is draining.
	Ending() bool
}

// What a Send can wait for.
const (
	Credit = "credit" // or a grant: until the other side has dealt with what came before
	Room   = "room"   // in the queue, or in the connection: until the other side reads
)

// Sending says of a message that is sent whom to tell when its Send has to wait. It is passed by
// value, as it must cost nothing where nothing waits. The zero Sending tells nobody.
type Sending struct {
	What   string // "call", "notification" or "reply"
	Method string // that is called, or has returned

	// Waits is called each time the Send begins to wait. It must not block. why, which may be called
	// from any goroutine, returns for what: Credit or Room.
	Waits func(s Sending, why func() string) Waiting
}

// Waiting is something that waits, until Over, which does not block.
type Waiting interface{ Over() }

type untold struct{}

func (untold) Over() {}

// Begin says that the Send begins to wait.
func (s Sending) Begin(why func() string) Waiting {
	if s.Waits == nil {
		return untold{}
	}
	return s.Waits(s, why)
}

// Frames is what the other side's hello says of the frames that it knows, and what the connection
// below is. The zero Frames: all but Eager.
type Frames struct {
	NoStreams, NoShutdown bool
	Eager                 bool // messages of some frames need no grant

	SumsOut, SumsIn uint32 // what checksums begin with, if there are any

	// SetLarge has the pipe that is written to hold much, or what it held before, and reports whether
	// it does. It may wait for the system. Nil: that is fixed.
	SetLarge func(large bool) bool
}

// Set by package duplex.
var (
	OrderOf   func(lane any) Order     // of a *duplex.Lane
	Drain     func(conn any)           // begins the Shutdown of a *duplex.Conn, which is to follow
	NoStream  func() net.Conn          // a *duplex.Stream of a link that has no streams
	SetFrames func(opts any, f Frames) // in a *duplex.Options, before duplex.New
)
