package duplex

import "sync/atomic"

// work counts what is going on on a link, so that it can end in order.
type work struct {
	calls    atomic.Int64  // sent, and the reply has not come
	served   atomic.Int64  // come in, and the reply has not been sent
	notes    atomic.Int64  // one-way messages that have come in and are not finished with
	received atomic.Uint32 // messages and streams that have come in, ever; counted behind those above
	streams  atomic.Int64  // known on the wire
	draining atomic.Bool   // one of the sides is shutting down
}

// serving reports whether something that the other side has sent is being
// worked on, which may need calls and streams of this side.
func (k *work) serving() bool { return k.served.Load() > 0 || k.notes.Load() > 0 }

// idle reports whether nothing was going on while received was n. The order
// counts: what is begun here while the link is draining is begun by what is
// served, so once nothing is, calls and streams do not grow.
func (k *work) idle(n uint32) bool {
	return !k.serving() && k.calls.Load() == 0 && k.streams.Load() == 0 && k.received.Load() == n
}
