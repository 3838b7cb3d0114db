// Command calls shows what a call can do beside arguments and a reply: a deadline, metadata,
// calling back, and errors with parts.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func main() {
	log.SetFlags(0)
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// ErrSoldOut is known to both sides.
var ErrSoldOut = errors.New("sold out")

func init() { viaduct.RegisterError("example.org/tickets.ErrSoldOut", ErrSoldOut) }

// Order is an argument whose method knows who calls, and for how long.
type Order struct {
	viaduct.Caller
	Seat int
}

// Tickets is the child's service.
type Tickets struct{}

// Buy asks the caller for a confirmation before it sells.
func (Tickets) Buy(order Order, ticket *string) error {
	ctx := order.Context()
	var price int
	err := rpcpipe.FromContext(ctx).CallContext(ctx, "Buyer.Confirm", order.Seat, &price)
	switch {
	case err != nil:
		return order.Fail(err)
	case order.Seat == 13:
		return order.Fail(fmt.Errorf("seat %d: %w", order.Seat, ErrSoldOut))
	case order.Seat > 100:
		return order.Fail(&viaduct.Error{Code: 404, Message: "no such seat", Data: map[string]any{"last": 100}})
	}
	*ticket = fmt.Sprintf("seat %d for %s", order.Seat, order.Metadata["user"])
	return nil
}

// Wait returns when its caller has given up.
func (Tickets) Wait(order Order, _ *string) error {
	<-order.Context().Done()
	return order.Fail(order.Context().Err())
}

// Buyer is the parent's service.
type Buyer struct{}

// Confirm is called by the child before its Buy returns.
func (Buyer) Confirm(seat int, price *int) error {
	fmt.Println("parent: asked to confirm seat", seat)
	*price = 20
	return nil
}

func parent() error {
	if err := rpc.Register(Buyer{}); err != nil {
		return err
	}
	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer peer.Close()

	ctx := viaduct.WithMetadata(context.Background(), map[string]string{"user": "Ada"})
	for _, seat := range []int{7, 13, 900} {
		var ticket string
		err := peer.CallContext(ctx, "Tickets.Buy", Order{Seat: seat}, &ticket)
		var e *viaduct.Error
		switch {
		case err == nil:
			fmt.Println("parent: bought", ticket)
		case errors.Is(err, ErrSoldOut):
			fmt.Println("parent: another one, please:", err)
		case errors.As(err, &e):
			fmt.Println("parent: error", e.Code, e.Message, e.Data)
		default:
			return err
		}
	}

	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = peer.CallContext(ctx, "Tickets.Wait", Order{}, nil)
	fmt.Println("parent:", err)
	return nil
}

func child() error {
	if err := rpc.Register(Tickets{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	return peer.Wait()
}
