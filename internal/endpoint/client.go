package endpoint

import (
	"context"
	"io"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Client is rpcpipe.Peer.Client.
func (e *Endpoint) Client() *rpc.Client { return rpc.NewClientWithCodec(e.ClientCodec()) }

// ClientCodec returns what a client calls through. Closing it ends the calls of that client alone.
func (e *Endpoint) ClientCodec() rpc.ClientCodec {
	c := &clientCodec{e: e, more: make(chan struct{}, 1)}
	c.open, c.close = context.WithCancel(context.Background())
	return c
}

// clientCodec is an rpc.ClientCodec that makes its calls through an Endpoint.
type clientCodec struct {
	e     *Endpoint
	open  context.Context // until Close
	close context.CancelFunc
	more  chan struct{} // one slot: replies has something

	// Owned by rpc's reader.
	current *pendingCall   // the reply between its header and its body
	taken   []*pendingCall // completed, in order: taken out of replies together
	next    int            // in taken

	mu      sync.Mutex     // guards what follows
	replies []*pendingCall // completed behind those in taken
}

func (c *clientCodec) WriteRequest(r *rpc.Request, args any) error {
	call := &pendingCall{kind: callOfClient, method: r.ServiceMethod, client: c, seq: r.Seq}
	ctx := c.open
	ctx, done, err := c.e.cfg.CallHook.Begin(ctx, callInfo(r.ServiceMethod, false, args))
	if done != nil { // Close may report it at the same time
		var once sync.Once
		call.hookDone = func(r serve.CallResult) { once.Do(func() { done(r) }) }
	}
	if err == nil {
		_, err = c.e.begin(ctx, call, args)
	}
	if c.open.Err() != nil {
		if err == nil { // Close may have been too early for this one
			c.cancelAll()
		}
		err = rpc.ErrShutdown
	}
	if err != nil {
		call.report(err)
	}
	return fault.Plain(err) // those who use standard clients compare with ==
}

// push is called when a call has completed. It does not block.
func (c *clientCodec) push(call *pendingCall) {
	c.mu.Lock()
	c.replies = append(c.replies, call)
	c.mu.Unlock()
	link.Signal(c.more)
}

func (c *clientCodec) ReadResponseHeader(r *rpc.Response) error {
	call, err := c.pop()
	if err != nil {
		c.Close() // rpc.Client does not, after an error
		return err
	}
	c.current = call
	r.Seq = call.seq
	r.ServiceMethod = call.method
	r.Error = c.e.cfg.Message.ErrorText(&call.response)
	return nil
}

// pop waits for the next reply.
func (c *clientCodec) pop() (*pendingCall, error) {
	for ended := false; c.next == len(c.taken); {
		c.takeReplies()
		if len(c.taken) > 0 {
			break
		}
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
	call := c.taken[c.next]
	c.taken[c.next] = nil
	c.next++
	return call, fault.Plain(call.err) // the link's end fails all calls alike
}

// keepReplies is how many places of a burst of replies are kept.
const keepReplies = 1024

// takeReplies takes what has completed, when all that was taken before has been returned.
func (c *clientCodec) takeReplies() {
	empty := c.taken[:0]
	if cap(empty) > keepReplies {
		empty = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken, c.replies, c.next = c.replies, empty, 0
}

func (c *clientCodec) ReadResponseBody(reply any) error {
	if reply == nil || c.current.response.Err != nil {
		return nil
	}
	err := c.e.cfg.Message.DecodeReply(&c.current.response, c.current.method, reply)
	if err != nil {
		c.Close() // rpc.Client stops reading now, and does not tell
	}
	return err
}

// Close cancels the calls that wait for a reply. It also releases a WriteRequest that waits for
// room: it holds the lock that rpc.Client needs to fail its calls.
func (c *clientCodec) Close() error {
	c.close()
	c.cancelAll()
	return nil
}

func (c *clientCodec) cancelAll() {
	ids, calls := c.e.pending.abandonOf(c)
	for i, id := range ids {
		c.e.cancel(id)
		calls[i].report(rpc.ErrShutdown)
	}
}
