package duplex

import (
	"context"
	"net"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// What rpcpipe needs of this package and its other users do not goes through package handles.
func init() {
	handles.OrderOf = func(lane any) handles.Order { return order{lane.(*Lane).c} }
	handles.Drain = func(conn any) { conn.(*Conn).drain() }
	handles.NoStream = noStream
	handles.SetFrames = func(opts any, f handles.Frames) { opts.(*Options).frames = f }
}

// noStream returns a stream of a link that has no streams.
func noStream() net.Conn {
	c := &Conn{noStreams: true}
	c.streams.init(c, nil)
	_, s := c.Offer()
	return s
}

// order is the handles.Order of both lanes of a Conn.
type order struct{ c *Conn }

func (o order) Draining() error {
	if o.c.work.draining.Load() && !isClosed(o.c.done) {
		return ErrShutdown
	}
	return nil
}

func (o order) Ending() bool { return o.c.work.draining.Load() || isClosed(o.c.done) }

func (o order) Waiting() bool {
	return o.c.work.calls.Load() > 0 || o.c.writer.waits.senders.Load() > 0
}

func (o order) OnWaiting(f func()) { o.c.writer.waits.tell.Store(&f) }

func (o order) Working(delta int) {
	o.c.work.notifications.Add(int64(delta))
	if delta < 0 {
		o.c.settle()
	}
}

func (o order) Send(lane any, ctx context.Context, msg []byte, isNotification bool, s handles.Sending) (uint64, error) {
	return lane.(*Lane).send(ctx, msg, isNotification, s)
}

func (o order) HasLeft(ticket uint64) bool { return o.c.writer.hasLeft(ticket) }

func (o order) Serving(own int) bool {
	k := &o.c.work
	return k.served.Load() > 0 || k.notifications.Load() > int64(own)
}
