package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// This file is for copying: Hooks is all that tracing needs of a program.

// Hooks returns a pair for rpcpipe.Options.CallHook and ServeHook. With them each call is a span on
// either side, and the one that serves it the child of the one that makes it. The context that a
// method has is in its span, so calls made with it hang under that.
func Hooks(tracer trace.Tracer) (call, serve rpcpipe.Hook) {
	var w3c propagation.TraceContext
	call = func(ctx context.Context, info rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
		ctx, span := tracer.Start(ctx, info.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes(info)...))
		pairs := metadata{}
		w3c.Inject(ctx, pairs)
		return viaduct.WithMetadata(ctx, pairs), func(r rpcpipe.CallResult) { end(span, r.Err) }
	}
	serve = func(ctx context.Context, info rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
		ctx = w3c.Extract(ctx, metadata(viaduct.Metadata(ctx)))
		ctx, span := tracer.Start(ctx, info.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes(info)...))
		return ctx, func(r rpcpipe.CallResult) { end(span, r.Err) }
	}
	return call, serve
}

// attributes are those of the semantic conventions. If the other side is not to be trusted with
// them, the names of methods that do not exist are to be left out: there is no end of them.
func attributes(info rpcpipe.CallInfo) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.RPCSystemNameKey.String("viaduct"), semconv.RPCMethod(info.Method)}
}

func end(span trace.Span, err error) {
	if err != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(fmt.Sprintf("%T", err)))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// metadata is that of a call, as OpenTelemetry wants it.
type metadata map[string]string

func (m metadata) Get(key string) string { return m[key] }
func (m metadata) Set(key, value string) { m[key] = value }

func (m metadata) Keys() []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
