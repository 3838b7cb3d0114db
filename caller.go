package viaduct

import (
	"context"
	"fmt"
	"maps"
)

// Caller is for embedding, by value, in the argument type of a method that wants to know who calls and for how long:
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
// It crosses as nothing else but its Metadata. Over another net/rpc codec, gob say, the argument is as ever, Context
// returns context.Background(), and Fail its argument.
type Caller struct {
	// Metadata is what the caller has attached with [WithMetadata]. What it has set here is part of the argument, as any
	// field, and crosses as well; a pair that is attached goes before one of the same key. It is not to be changed. An argument that is passed on takes it along.
	Metadata map[string]string

	ctx context.Context
}

// SetContext is called before the method. It is not for users.
func (c *Caller) SetContext(ctx context.Context) {
	c.ctx = ctx
	switch md := Metadata(ctx); {
	case len(c.Metadata) == 0:
		c.Metadata = md
	case md != nil:
		maps.Copy(c.Metadata, md)
	}
}

// Context returns the context of the call. It ends when the caller has given up or its deadline is over (then its Err is
// one of context's two, as the deadline or the caller's word comes first), when the method has returned, and
// when the link ends. Calls made with it to the side that has called are known there to serve its call: they
// are never refused, and do not wait for others, up to 16 at a time for each call. (Those of a method that was called one way count as any.)
// See also rpcpipe.FromContext.
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
// To a viaduct peer it then crosses with the [*Error] and the registered errors (see [RegisterError]) that it wraps, in the sense of
// errors.As and errors.Is; they are the same there, and the text is err's own. All else of it, and with other contexts or peers everything, crosses as
// text, as with net/rpc. What the method returns must be just what Fail has returned: wrap first, and Fail last. Data that cannot be
// sent is left out, and the text says so. It may be called from any goroutine; the last call counts. A nil err is returned as it is.
func Fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	f := &failed{err: err, text: err.Error()}
	if f.text == "" { // net/rpc would take it for success
		f.text = unknownError
		err = &namedError{err}
	}
	if c := callOf(ctx); c != nil {
		c.call.failed.Store(f)
	}
	return err
}

// namedError gives an error without a text one.
type namedError struct{ error }

func (e *namedError) Error() string { return unknownError }
func (e *namedError) Unwrap() error { return e.error }

type (
	metadataKey struct{} // of what calls made with a context attach
	callKey     struct{} // of the call that a context belongs to
)

// WithMetadata returns a context whose calls attach these pairs, for the method's [Caller] or [Metadata] to have: a user's
// name, a trace id. They add to those that ctx has, and take their place where the key is the same. Pairs that
// came with a call are not attached to the calls made with its context.
//
// They may have 8,192 bytes in all, keys and values, in 256 pairs; a call with more, or to a peer that is no viaduct, fails with a [*BodyError].
func WithMetadata(ctx context.Context, pairs map[string]string) context.Context {
	all := maps.Clone(attached(ctx))
	if all == nil {
		all = make(map[string]string, len(pairs))
	}
	maps.Copy(all, pairs)
	return context.WithValue(ctx, metadataKey{}, all)
}

// attached returns what calls made with ctx attach.
func attached(ctx context.Context) map[string]string {
	md, _ := ctx.Value(metadataKey{}).(map[string]string)
	return md
}

const (
	maxMetadata      = 8 << 10
	maxMetadataPairs = 256
)

func checkMetadata(pairs map[string]string) error {
	size := 0
	for k, v := range pairs {
		size += len(k) + len(v)
	}
	if size > maxMetadata || len(pairs) > maxMetadataPairs {
		return fmt.Errorf("metadata of %d bytes in %d pairs: at most %d in %d were expected", size, len(pairs), maxMetadata, maxMetadataPairs)
	}
	return nil
}

// Metadata returns what the caller has attached to the call that ctx, or what it derives from, is the context of: nil if nothing. It is not to be changed.
func Metadata(ctx context.Context) map[string]string {
	if c := callOf(ctx); c != nil {
		return c.metadata
	}
	return nil
}

// callOf returns the call that ctx belongs to, nil if to none: an argument may not have been given one.
func callOf(ctx context.Context) *callContext {
	if ctx == nil {
		return nil
	}
	c, _ := ctx.Value(callKey{}).(*callContext)
	return c
}

// callContext is the context of a call that has come in.
type callContext struct {
	context.Context
	endpoint *Endpoint
	call     *served
	metadata map[string]string
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.Context.Value(key)
}
