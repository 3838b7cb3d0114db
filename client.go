package viaduct

import (
	"fmt"
	"io"
	"net/rpc"
	"reflect"
	"sync"
)

// clientCodec is the codec for standard clients on a connection of their own.
type clientCodec struct {
	conn messageConn
	opts *Options

	current message // the reply between its header and its body; owned by rpc's reader

	mu      sync.Mutex        // guards what follows
	methods map[uint64]string // of calls without a reply, for errors
	closed  bool
}

// WriteRequest is called by one goroutine at a time, and may be waiting in the
// kernel when the others of this type are called.
func (c *clientCodec) WriteRequest(r *rpc.Request, args any) error {
	if r.Seq > maxID {
		return fmt.Errorf("viaduct: all %d msgids of this client are used; connect anew", uint64(maxID))
	}
	msg, err := encodeRequest(r.ServiceMethod, args)
	if err != nil {
		return err
	}
	defer putBuffer(msg)
	setID(*msg, uint32(r.Seq))
	c.mu.Lock()
	c.methods[r.Seq] = r.ServiceMethod
	c.mu.Unlock()
	if err := c.conn.WriteMessage(*msg); err != nil {
		if isWriteError(err) {
			c.conn.Close()
		}
		c.forget(r.Seq)
		return err
	}
	return nil
}

// maxID bounds the sequence numbers that fit a msgid.
const maxID = 1<<32 - 1

func (c *clientCodec) forget(seq uint64) (method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	method = c.methods[seq]
	delete(c.methods, seq)
	return method
}

func (c *clientCodec) ReadResponseHeader(r *rpc.Response) error {
	m, err := c.readResponse()
	if err != nil {
		// A writer that waits in the kernel holds the lock that rpc.Client
		// needs to fail its calls, so it has to be released first.
		c.conn.Close()
		return c.endError(err)
	}
	c.current = m
	r.Seq = uint64(m.id)
	r.ServiceMethod = c.forget(r.Seq)
	r.Error = m.errorText()
	return nil
}

func (c *clientCodec) readResponse() (message, error) {
	for {
		b, err := c.conn.ReadMessage()
		if err != nil {
			return message{}, err
		}
		m, err := parseMessage(b, c.opts.maxDepth())
		switch {
		case err != nil:
			return m, err
		case m.kind == typeResponse:
			return m, nil
		case m.kind == typeRequest:
			return m, &ProtocolError{fmt.Sprintf("request for %.80q on a connection that has only a client; an Endpoint serves both", m.method), nil}
		}
		c.opts.logger().Warn("viaduct: dropped a notification: this side is only a client", "method", string(m.method))
	}
}

// endError maps what net/rpc would show its users as a closed file.
func (c *clientCodec) endError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return io.EOF
	}
	return err
}

func (c *clientCodec) ReadResponseBody(reply any) error {
	if reply == nil {
		return nil
	}
	return decodeBody(c.current.body, reply, c.opts.maxDepth())
}

func (c *clientCodec) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.conn.Close()
}

// encodeRequest encodes a call, its msgid excepted, into a buffer of the pool.
func encodeRequest(method string, args any) (*[]byte, error) {
	msg := getBuffer()
	b, err := appendBody(appendRequest(*msg, method), args)
	if err != nil {
		putBuffer(msg)
		return nil, &BodyError{"encode", "arguments", method, typeName(args), err}
	}
	*msg = b
	return msg, nil
}

func typeName(v any) string { return fmt.Sprint(reflect.TypeOf(v)) }

// Buffers for messages going out. They do not outlive the sending.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte {
	b := buffers.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

// putBuffer keeps b for later, unless it is so large that few messages will need it.
func putBuffer(b *[]byte) {
	if cap(*b) <= 64<<10 {
		buffers.Put(b)
	}
}
