package serve

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
)

// shrinkToLimit makes msg, which answers a call with f, or with a reply if that is nil, small
// enough to be sent. It returns what it answers with then.
func (d *Dispatcher) shrinkToLimit(msg *[]byte, id uint32, f *message.Failure) *message.Failure {
	limit := d.host.Link.MaxSend()
	if len(*msg) <= limit {
		return f
	}
	size := &fault.SizeError{Size: len(*msg), Limit: limit}
	if f == nil {
		f = message.OwnFailure(size)
		*msg = d.cfg.Message.AppendFailure((*msg)[:0], id, f, limit)
	} else {
		*msg = d.cfg.Message.AppendShort((*msg)[:0], id, f, size)
	}
	return f
}

// sendAnswer sends msg as the answer to r, a call of method, which the caller has claimed. It waits
// for room, and for r's turn.
func (d *Dispatcher) sendAnswer(ctx context.Context, r *request, method string, msg []byte) error {
	d.awaitTurn(r)
	defer d.sent(r)
	return d.send(ctx, method, msg)
}

// send sends an answer of method out of turn.
func (d *Dispatcher) send(ctx context.Context, method string, msg []byte) error {
	err := d.host.Send(ctx, method, msg)
	if size, ok := err.(*fault.SizeError); ok { // a limit too small for any error: the caller would wait for ever
		d.host.End(size)
	}
	return err
}

func (d *Dispatcher) answerFailure(r *request, f *message.Failure) {
	msg := buffer.Get()
	defer buffer.Put(msg)
	*msg = d.cfg.Message.AppendFailure(*msg, r.ID, f, d.host.Link.MaxSend())
	d.sendAnswer(context.Background(), r, string(r.Method), *msg)
}
