package rpcpipe

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/internal/message"
)

// Client returns a standard client, for code that wants one. Its calls follow the rules of
// CallContext, and wait for a child as that does; Go does not wait. Closing it ends its own calls.
//
// It has net/rpc's own limits. A reply that cannot be decoded ends that client. Errors are texts, of
// the type [rpc.ServerError], also those of calls that have failed with their child. Only when the
// Supervisor has ended do its calls fail with [rpc.ErrShutdown].
func (s *Supervisor) Client() *rpc.Client {
	c := &supervisedCodec{s: s, more: make(chan struct{}, 1)}
	c.open, c.close = context.WithCancel(context.Background())
	return rpc.NewClientWithCodec(c)
}

// supervisedCodec is an rpc.ClientCodec whose calls go to the child that is up.
type supervisedCodec struct {
	s     *Supervisor
	open  context.Context // until Close
	close context.CancelFunc
	more  chan struct{} // one slot: replies has something

	current *clientReply // owned by rpc's reader: the reply between its header and its body

	mu      sync.Mutex // guards what follows
	replies []*clientReply
}

// A clientReply is what a call of a client has ended with.
type clientReply struct {
	seq    uint64 // of the client
	method string
	body   message.Encoded
	err    error
}

// WriteRequest encodes and starts a call. It is called with a lock of the client that all its calls
// need, so it waits for nothing, least of all for a child.
func (c *supervisedCodec) WriteRequest(r *rpc.Request, args any) error {
	if c.open.Err() != nil {
		return rpc.ErrShutdown
	}
	reply := &clientReply{seq: r.Seq, method: r.ServiceMethod}
	err := c.s.post(c.open, r.ServiceMethod, args, &reply.body, func(err error) {
		reply.err = err
		c.push(reply)
	})
	var none *NoChildError
	if errors.As(err, &none) {
		return rpc.ErrShutdown // those who use standard clients compare with ==
	}
	return err
}

func (c *supervisedCodec) push(reply *clientReply) {
	c.mu.Lock()
	c.replies = append(c.replies, reply)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default: // it is told already
	}
}

func (c *supervisedCodec) ReadResponseHeader(r *rpc.Response) error {
	reply, err := c.pop()
	if err != nil {
		c.Close() // rpc.Client does not, after an error
		return err
	}
	c.current = reply
	r.Seq, r.ServiceMethod = reply.seq, reply.method
	if reply.err != nil {
		r.Error = cmp.Or(reply.err.Error(), "unknown error") // net/rpc takes an empty text for none
	}
	return nil
}

// pop waits for the next reply.
func (c *supervisedCodec) pop() (*clientReply, error) {
	for ended := false; ; {
		c.mu.Lock()
		if len(c.replies) > 0 {
			reply := c.replies[0]
			c.replies = c.replies[1:]
			c.mu.Unlock()
			return reply, nil
		}
		c.mu.Unlock()
		if ended {
			return nil, rpc.ErrShutdown
		}
		select {
		case <-c.more:
		case <-c.open.Done():
			return nil, io.EOF
		case <-c.s.ended:
			ended = true // what has come before is still returned
		}
	}
}

func (c *supervisedCodec) ReadResponseBody(reply any) error {
	if reply == nil || c.current.err != nil {
		return nil
	}
	err := c.s.latest.Load().peer.endpoint.DecodeReply(&c.current.body, c.current.method, reply)
	if err != nil {
		c.Close() // rpc.Client stops reading now, and does not tell
	}
	return err
}

// Close ends the calls of this client.
func (c *supervisedCodec) Close() error {
	c.close()
	return nil
}
