package endpoint

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Notify is rpcpipe.Peer.Notify.
func (e *Endpoint) Notify(ctx context.Context, serviceMethod string, args any) error {
	if err := ctx.Err(); err != nil {
		return fault.NotBegun(err)
	}
	_, err := e.notify(ctx, serviceMethod, args, func(ctx context.Context, msg []byte) (bool, error) {
		ticket, err := e.send(ctx, e.out, msg, true, e.sending("notification", serviceMethod))
		return true, e.ofTicket(ticket, err)
	})
	return err
}

// TryNotify is rpcpipe.Peer.TryNotify.
func (e *Endpoint) TryNotify(serviceMethod string, args any) (sent bool, err error) {
	return e.notify(context.Background(), serviceMethod, args, func(_ context.Context, msg []byte) (bool, error) {
		if limit := e.out.MaxSend(); len(msg) > limit {
			return false, fault.NotBegun(&fault.SizeError{Size: len(msg), Limit: limit})
		}
		sent, err := e.out.TrySend(msg)
		return sent, fault.NotBegun(e.ofLink(e.out, err))
	})
}

// notify has send send a notification, and tells whoever wants to know.
func (e *Endpoint) notify(ctx context.Context, serviceMethod string, args any, send func(context.Context, []byte) (bool, error)) (sent bool, err error) {
	ctx, done, err := e.cfg.CallHook.Begin(ctx, callInfo(serviceMethod, true, args))
	size := 0
	if err == nil {
		size, sent, err = e.encodeAndNotify(ctx, serviceMethod, args, send)
	}
	told := err
	if !sent && err == nil {
		told = fault.ErrNotBegun
	} else {
		e.pending.countNotification(serviceMethod, err)
	}
	if done != nil {
		done(serve.CallResult{Err: told, Request: size})
	}
	return sent && err == nil, err
}

func (e *Endpoint) encodeAndNotify(ctx context.Context, serviceMethod string, args any, send func(context.Context, []byte) (bool, error)) (size int, sent bool, err error) {
	if err := message.OwnName(serviceMethod); err != nil {
		return 0, false, message.NotSent(serviceMethod, args, err)
	}
	msg, err := e.cfg.Message.EncodeNotification(serviceMethod, args, e.out.MaxSend())
	if err != nil {
		return 0, false, fault.NotBegun(err)
	}
	defer buffer.Put(msg)
	if *msg, err = e.appendInfo(*msg, ctx, true, serviceMethod, args); err != nil {
		return 0, false, fault.NotBegun(err)
	}
	if err := e.mayBegin(ctx); err != nil {
		return 0, false, err
	}
	if sent, err = send(ctx, *msg); sent && err == nil {
		size = len(*msg)
	}
	return size, sent, err
}
