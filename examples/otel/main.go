// Command otel shows one trace over two processes: its calls to its child, those that the child
// makes back meanwhile, and a notification. Both print their spans to stdout as JSON.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/signal"

	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"

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

// An Order is what the methods of both sides take.
type Order struct {
	viaduct.Caller
	Item string
}

// Shop is the child's service.
type Shop struct{}

// Buy asks the caller for the price before it returns.
func (Shop) Buy(order Order, receipt *string) error {
	if order.Item == "" {
		return order.Fail(errors.New("nothing to buy"))
	}
	ctx := order.Context()
	var price int
	if err := rpcpipe.FromContext(ctx).CallContext(ctx, "Prices.Of", Order{Item: order.Item}, &price); err != nil {
		return order.Fail(err)
	}
	*receipt = fmt.Sprintf("%s for %d", order.Item, price)
	return nil
}

// Looked is for a notification.
func (Shop) Looked(Order, *struct{}) error { return nil }

// Prices is the parent's service.
type Prices struct{}

// Of returns the price of an item.
func (Prices) Of(order Order, price *int) error {
	*price = len(order.Item)
	return nil
}

// tracing returns a provider whose spans go to stdout, one a line. Shutdown prints them.
func tracing(service string) (*sdktrace.TracerProvider, error) {
	exporter, err := stdouttrace.New()
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
	), nil
}

func child() (err error) {
	provider, err := tracing("child")
	if err != nil {
		return err
	}
	// When Wait has returned, all hooks have.
	defer func() { err = errors.Join(err, provider.Shutdown(context.Background())) }()
	if err := rpc.Register(Shop{}); err != nil {
		return err
	}
	opts := rpcpipe.Options{Logger: slog.Default()}
	opts.CallHook, opts.ServeHook = Hooks(provider.Tracer("viaduct"))
	peer, err := rpcpipe.Connect(context.Background(), &opts)
	if err != nil {
		return err
	}
	return peer.Wait()
}

func parent() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	provider, err := tracing("parent")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Shutdown(context.Background())) }()
	if err := rpc.Register(Prices{}); err != nil {
		return err
	}
	tracer := provider.Tracer("viaduct")
	opts := rpcpipe.Options{Logger: slog.Default()}
	opts.CallHook, opts.ServeHook = Hooks(tracer)
	cmd := procspawn.Self()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // for the child's spans, and what goes wrong there
	peer, err := rpcpipe.Start(ctx, cmd, &opts)
	if err != nil {
		return err
	}
	defer peer.Close()
	ctx, span := tracer.Start(ctx, "shopping")
	err = shop(ctx, peer)
	span.End()
	return errors.Join(err, peer.Shutdown(context.WithoutCancel(ctx))) // the child has printed its spans
}

func shop(ctx context.Context, peer *rpcpipe.Peer) error {
	if err := peer.Notify(ctx, "Shop.Looked", Order{Item: "lamp"}); err != nil {
		return err
	}
	var receipt string
	if err := peer.CallContext(ctx, "Shop.Buy", Order{Item: "lamp"}, &receipt); err != nil {
		return err
	}
	if err := peer.CallContext(ctx, "Shop.Buy", Order{}, nil); err == nil {
		return errors.New("nothing was sold")
	}
	fmt.Fprintln(os.Stderr, receipt)
	return nil
}
