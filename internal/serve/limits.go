package serve

const (
	defaultHandlers     = 16 << 10
	defaultWaiting      = 16 << 10
	defaultHandlerBytes = 512 << 20

	// maxWaitingBytes bounds the calls that wait, but for one.
	maxWaitingBytes = 64 << 20

	// maxName is the length of the longest name of a method.
	maxName = 4 << 10

	// maxNested is how many calls that serve one call of this side go ahead of the limits.
	maxNested = 16

	// spareAnswers is how many more answers than handlers may be waiting to be sent.
	spareAnswers = 256

	// bareNotifications bounds what a bare connection, which has no flow control, can make this
	// side hold: bytes of notifications that wait for their turn.
	bareNotifications = 4 << 20

	// NotificationCost is what a notification that waits takes besides its own bytes.
	NotificationCost = 128
)

// Limits bound what the other side can have handled at once. Zero fields mean the defaults.
type Limits struct {
	Handlers     int // calls at once; default 16,384
	HandlerBytes int // their requests, and the answers that are being sent; default 512 MiB
	Waiting      int // calls that wait for others to end; default 16,384; negative: none

	// ConcurrentNotifications has notifications handled as calls are, within Handlers.
	ConcurrentNotifications bool
}

func (l Limits) withDefaults() Limits {
	if l.Handlers <= 0 {
		l.Handlers = defaultHandlers
	}
	l.Handlers = min(l.Handlers, 1<<30) // more may be added to it
	if l.HandlerBytes <= 0 {
		l.HandlerBytes = defaultHandlerBytes
	}
	switch {
	case l.Waiting == 0:
		l.Waiting = defaultWaiting
	case l.Waiting < 0:
		l.Waiting = 0
	}
	return l
}
