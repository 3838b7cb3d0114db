package testkit

import (
	"context"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
)

type order struct{ handles.Order }

// Lane is a lane of package duplex as an Endpoint takes it.
type Lane struct {
	*duplex.Lane
	order
}

// LinkOf is the link that l is.
func LinkOf(l *duplex.Lane) Lane { return Lane{l, order{handles.OrderOf(l)}} }

// Send is that of the Order, as it gives a ticket.
func (l Lane) Send(ctx context.Context, msg []byte, isNotification bool, s handles.Sending) (ticket uint64, err error) {
	return l.order.Send(l.Lane, ctx, msg, isNotification, s)
}
