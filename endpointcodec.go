package viaduct

import (
	"context"
	"io"
	"net/rpc"
	"sync"
)

// Client returns a standard client whose calls go through e's link, for code
// that wants one. Closing it ends its own calls, not the link. It has net/rpc's own limits: a reply that
// cannot be decoded ends that client, and all its calls, though nobody else's.
func (e *Endpoint) Client() *rpc.Client {
	c := &endpointCodec{e: e, more: make(chan struct{}, 1)}
	c.open, c.close = context.WithCancel(context.Background())
	return rpc.NewClientWithCodec(c)
}

// endpointCodec is an rpc.ClientCodec that makes its calls through an Endpoint.
type endpointCodec struct {
	e       *Endpoint
	open    context.Context // until Close
	close   context.CancelFunc
	more    chan struct{} // one slot: replies has something
	current *pendingCall  // the reply between its header and its body; owned by rpc's reader

	mu      sync.Mutex     // guards what follows
	replies []*pendingCall // completed, in order
}

func (c *endpointCodec) WriteRequest(r *rpc.Request, args any) error {
	call := &pendingCall{method: r.ServiceMethod, client: c, seq: r.Seq}
	ctx := c.open
	ctx, done := c.e.opts.callHook().begin(ctx, r.ServiceMethod, false)
	if done != nil { // Close may report it at the same time
		var once sync.Once
		call.done = func(r CallResult) { once.Do(func() { done(r) }) }
	}
	_, err := c.e.start(ctx, call, args)
	if c.open.Err() != nil {
		if err == nil { // Close may have been too early for this one
			c.cancelAll()
		}
		err = rpc.ErrShutdown
	}
	if err != nil {
		call.report(err)
	}
	return err
}

// push is called when a call has completed. It does not block.
func (c *endpointCodec) push(call *pendingCall) {
	c.mu.Lock()
	c.replies = append(c.replies, call)
	c.mu.Unlock()
	signal(c.more)
}

func (c *endpointCodec) ReadResponseHeader(r *rpc.Response) error {
	call, err := c.pop()
	if err != nil {
		c.Close() // rpc.Client does not, after an error
		return err
	}
	c.current = call
	r.Seq = call.seq
	r.ServiceMethod = call.method
	r.Error = c.e.opts.errorText(&call.response)
	return nil
}

// pop waits for the next reply.
func (c *endpointCodec) pop() (*pendingCall, error) {
	for ended := false; ; {
		c.mu.Lock()
		if len(c.replies) > 0 {
			call := c.replies[0]
			c.replies[0] = nil
			c.replies = c.replies[1:]
			c.mu.Unlock()
			return call, call.err // the link's end fails all calls alike
		}
		c.replies = nil
		c.mu.Unlock()
		if ended {
			return nil, c.e.err
		}
		select {
		case <-c.more:
		case <-c.open.Done():
			return nil, io.EOF
		case <-c.e.done:
			ended = true // what has come before is still returned
		}
	}
}

func (c *endpointCodec) ReadResponseBody(reply any) error {
	if reply == nil || c.current.response.err != nil {
		return nil
	}
	err := c.e.opts.decodeBody(c.current.response.body, reply)
	if err != nil {
		c.Close() // rpc.Client stops reading now, and does not tell
		return &BodyError{"decode", "reply", c.current.method, typeName(reply), err}
	}
	return nil
}

// Close cancels the calls that wait for a reply. It also releases a WriteRequest that waits for room: it holds the lock that
// rpc.Client needs to fail its calls.
func (c *endpointCodec) Close() error {
	c.close()
	c.cancelAll()
	return nil
}

func (c *endpointCodec) cancelAll() {
	ids, calls := c.e.pending.abandonOf(c)
	for i, id := range ids {
		c.e.cancel(id)
		calls[i].report(rpc.ErrShutdown)
	}
}
