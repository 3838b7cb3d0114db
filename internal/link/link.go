// Package link has what carries messages: the interface of a link, and the bare link over any
// connection, on which the ends of messages are found by reading them.
//
// A bare connection has no flow control but its own. So the link bounds what it queues, and who
// takes messages from it must bound what it holds.
package link

import (
	"context"
	"time"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// Link carries the messages of one end: a lane of package duplex, or a Bare. Its methods may be
// called from any goroutine.
type Link interface {
	// Send sends msg, waiting for room until ctx or the link ends. It keeps nothing of msg. A
	// notification is with the system when it returns nil. ticket stands for what was sent. With an
	// error it is 0 if nothing of msg can arrive; otherwise HasLeft tells. s is told when it waits.
	Send(ctx context.Context, msg []byte, isNotification bool, s Sending) (ticket uint64, err error)

	// HasLeft reports, when the link has ended, whether what a ticket stands for may have arrived.
	HasLeft(ticket uint64) bool

	// TrySend sends a notification if that needs no waiting, and reports whether it has.
	TrySend(msg []byte) (sent bool, err error)

	// SendUrgent sends a short message behind what has been sent, without waiting.
	SendUrgent(msg []byte) error

	// MaxSend is the size of the largest message that the other side takes, in bytes.
	MaxSend() int

	// Flush waits until what was sent so far is with the system. It returns nil then, ctx.Err(), or
	// why the link has ended.
	Flush(ctx context.Context) error

	// Receive has deliver and urgent called with each message that comes in, in order, and ended
	// once, behind the last. They are called from a goroutine that must not block. A message is
	// theirs to keep. If deliver returns false the room that msg takes counts as taken until
	// Release.
	Receive(deliver func(msg []byte, isNotification bool) (roomFree bool), urgent func(msg []byte), ended func(error))

	// Release gives back the room of a message of n bytes.
	Release(n int, isNotification bool)

	// Fail ends the link at once, out of order.
	Fail(reason error)

	// Close ends the link when what was sent is with the system, or after a moment.
	Close() error

	// Waiting and OnWaiting are about who waits for the other side, and Working, Serving, Draining and
	// Ending about an orderly end: see handles.Order.
	Waiting() bool
	OnWaiting(f func())
	Working(delta int)
	Serving(own int) bool
	Draining() error
	Ending() bool
}

// Sending and Waiting are those of package handles.
type (
	Sending = handles.Sending
	Waiting = handles.Waiting
)

// FlushTime bounds how long whoever closes a link waits for what is queued to be written.
const FlushTime = 50 * time.Millisecond

// Signal puts a token into a channel of one slot, if there is none.
func Signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
