package endpoint

import (
	"context"
	"time"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// metadataKey is the key under which a context has what calls made with it attach.
type metadataKey struct{}

// WithMetadata returns a context whose calls attach these pairs, and no others. They are not
// changed.
func WithMetadata(ctx context.Context, pairs map[string]string) context.Context {
	return context.WithValue(ctx, metadataKey{}, pairs)
}

// Attached returns what calls made with ctx attach.
func Attached(ctx context.Context) map[string]string {
	pairs, _ := ctx.Value(metadataKey{}).(map[string]string)
	return pairs
}

// appendInfo appends to the request or notification b what ctx says of it, if anything. The error
// is a *fault.BodyError.
func (e *Endpoint) appendInfo(b []byte, ctx context.Context, isNotification bool, method string, args any) ([]byte, error) {
	pairs := Attached(ctx)
	if err := e.mayAttach(pairs); err != nil {
		return b, &fault.BodyError{Op: "encode", What: "metadata", Method: method, Type: body.TypeName(args), Err: err}
	}
	if !e.cfg.Message.Extended {
		return b, nil
	}
	info := message.Info{Metadata: pairs}
	if !isNotification { // a notification's deadline is for the sending alone, and it serves no call
		if deadline, ok := ctx.Deadline(); ok {
			info.Timeout = max(time.Until(deadline), 1)
		}
		info.Within, info.Nested = serve.Within(ctx, e)
	}
	return info.Append(b), nil
}

func (e *Endpoint) mayAttach(pairs map[string]string) error {
	switch {
	case len(pairs) == 0:
		return nil
	case !e.cfg.Message.Extended:
		return message.ErrNoMetadata
	}
	return message.CheckMetadata(pairs)
}

// callInfo is what a hook is told of a call.
func callInfo(method string, isNotification bool, args any) serve.CallInfo {
	if _, ok := args.(*message.Encoded); ok { // made for children that may be started again
		args = nil
	}
	return serve.CallInfo{Method: method, Notification: isNotification, Args: args}
}
