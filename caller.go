package viaduct

import (
	"context"
	"maps"

	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Caller is for embedding, by value, in the argument type of a method that wants to know who calls
// and for how long:
//
//	type Search struct {
//		viaduct.Caller
//		Text string
//	}
//
//	func (s *Service) Search(args Search, found *[]string) error {
//		rows, err := s.db.QueryContext(args.Context(), query, args.Text)
//		if err != nil {
//			return args.Fail(err)
//		}
//		...
//
// Nothing of it crosses but its Metadata. Over another net/rpc codec, gob say, the argument is as
// ever, Context returns context.Background(), and Fail its argument.
type Caller struct {
	// Metadata is what the caller has attached with [WithMetadata]. It is not to be changed.
	//
	// What a caller sets here is part of the argument, as any field, and crosses as well; of two
	// pairs of the same key the attached one counts. An argument that is passed on takes it along.
	Metadata map[string]string

	ctx context.Context
}

// SetContext gives c the context of its call. A codec calls it before the method; a test that calls
// the method itself may, too.
func (c *Caller) SetContext(ctx context.Context) {
	c.ctx = ctx
	switch md := Metadata(ctx); {
	case len(c.Metadata) == 0:
		c.Metadata = md
	case md != nil:
		maps.Copy(c.Metadata, md)
	}
}

// Context returns the context of the call. It ends when the caller has given up or its deadline is
// over, when the method has returned, and when the link ends. (When its deadline is over the caller
// says that it has given up, too: Err tells which of the two has come first.)
//
// Calls made with it to the side that has called are known there to serve its call: they are never
// refused, and do not wait for others, up to 16 at a time for each call. Those of a method that was
// called by Notify count as any. See also rpcpipe.FromContext.
func (c Caller) Context() context.Context {
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// Fail returns err, for the method to return, and has it cross with its parts: see [Fail].
func (c Caller) Fail(err error) error { return Fail(c.Context(), err) }

// Fail returns err, for the method whose context ctx is, or derives from, to return:
//
//	return viaduct.Fail(ctx, err)
//
// To a viaduct peer it then crosses with the [*Error] and the registered errors (see
// [RegisterError]) that it wraps, in the sense of errors.As and errors.Is. They are the same there,
// and the text is err's own. All else of it crosses as text, as with net/rpc, and with other
// contexts or peers everything does.
//
// What the method returns must have the text of what Fail has returned, whole or as its end, behind
// a colon and a space: so fmt.Errorf("row 7: %w", viaduct.Fail(ctx, err)) crosses with its own text
// and the parts of err. Other wrapping is to be done first, and Fail last. Data that cannot be sent
// is left out, and the text says so. Fail may be called from any goroutine; the last call counts. A
// nil err is returned as it is.
func Fail(ctx context.Context, err error) error { return serve.Fail(ctx, err) }

// WithMetadata returns a context whose calls attach these pairs, for the method's [Caller] or
// [Metadata] to have: a user's name, a trace id. They add to those that ctx has, and take their
// place where the key is the same. Pairs that came with a call are not attached to the calls made
// with its context.
//
// They may have 8,192 bytes in all, keys and values, in 256 pairs. A call with more, or to a peer
// that is no viaduct, fails with a [*BodyError].
func WithMetadata(ctx context.Context, pairs map[string]string) context.Context {
	all := maps.Clone(endpoint.Attached(ctx))
	if all == nil {
		all = make(map[string]string, len(pairs))
	}
	maps.Copy(all, pairs)
	return endpoint.WithMetadata(ctx, all)
}

// Metadata returns what the caller has attached to the call that ctx, or what it derives from, is
// the context of: nil if nothing. It is not to be changed.
func Metadata(ctx context.Context) map[string]string { return serve.Metadata(ctx) }
