package endpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/message"
)

var errNoListing = fmt.Errorf("viaduct: the other side does not list its methods: it is told not to, or is an older viaduct or another implementation: %w", errors.ErrUnsupported)

// Methods asks the other side what it has to call, and returns the answer in MessagePack. Its errors
// are those of CallContext, or errors.ErrUnsupported.
func (e *Endpoint) Methods(ctx context.Context) ([]byte, error) {
	if !e.cfg.ListPeer {
		return nil, errNoListing
	}
	c := e.pending.get()
	defer e.pending.put(c)
	c.method = message.MethodsMethod
	var answer message.Encoded
	err := e.call(ctx, c, nil, &answer)
	return answer.Bytes(), err
}
