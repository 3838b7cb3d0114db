package endpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
)

var errNoSync = fmt.Errorf("viaduct: the other side does not know Sync: it is an older viaduct or another implementation: %w", errors.ErrUnsupported)

// Flush waits until what has been said so far is with the system. It returns nil then, ctx.Err(), or
// what calls fail with if the link has ended.
func (e *Endpoint) Flush(ctx context.Context) error {
	if err := e.logs.FlushAll(ctx); err != nil {
		return err
	}
	err := e.out.Flush(ctx)
	if _, bare := e.in.(*link.Bare); err == nil && bare && e.in != e.out { // lanes are flushed together
		err = e.in.Flush(ctx)
	}
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return fault.Down(err)
}

// Sync is rpcpipe.Peer.Sync.
func (e *Endpoint) Sync(ctx context.Context) error {
	if !e.cfg.SyncPeer {
		return errNoSync
	}
	return e.ask(ctx, message.SyncMethod)
}

// CanSettle reports whether the other side can be asked so.
func (e *Endpoint) CanSettle() bool { return e.cfg.SettlePeer }

// Settle waits until the methods have ended, at the other side, of all calls of this side whose
// context has ended.
func (e *Endpoint) Settle(ctx context.Context) error {
	if !e.CanSettle() {
		return errors.ErrUnsupported
	}
	return e.ask(ctx, message.SettleMethod)
}

// ask makes a call of the protocol's own, behind all that was said before.
func (e *Endpoint) ask(ctx context.Context, method string) error {
	if err := e.Flush(ctx); err != nil { // it must not overtake what waits
		return err
	}
	c := e.pending.get()
	defer e.pending.put(c)
	c.method = method
	return e.call(ctx, c, 0, nil)
}
