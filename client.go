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

	// The reply between its header and its body, and its call; owned by rpc's reader.
	current message
	call    sentCall

	mu     sync.Mutex // guards what follows
	calls  map[uint32]sentCall
	next   uint32 // msgid to try next; one in use is skipped
	closed bool

	closing sync.Once
}

// sentCall is a call without a reply.
type sentCall struct {
	seq    uint64 // its number in rpc.Client, which does not fit a msgid for ever
	method string
}

// WriteRequest is called by one goroutine at a time, and may be waiting in the
// kernel when the others of this type are called.
func (c *clientCodec) WriteRequest(r *rpc.Request, args any) error {
	msg, err := c.opts.encodeRequest(r.ServiceMethod, args)
	if err != nil {
		return err
	}
	defer putBuffer(msg)
	id, err := c.add(sentCall{r.Seq, r.ServiceMethod})
	if err != nil {
		return err
	}
	setID(*msg, id)
	if err := c.conn.WriteMessage(*msg); err != nil {
		if isWriteError(err) {
			c.closeConn()
		}
		c.take(id)
		return err
	}
	return nil
}

// maxID is the largest msgid.
const maxID = 1<<32 - 1

func (c *clientCodec) add(call sentCall) (id uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if uint64(len(c.calls)) > maxID {
		return 0, errTooManyCalls
	}
	for {
		id = c.next
		c.next++
		if _, used := c.calls[id]; !used {
			c.calls[id] = call
			return id, nil
		}
	}
}

func (c *clientCodec) take(id uint32) (call sentCall, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call, ok = c.calls[id]
	delete(c.calls, id)
	return call, ok
}

func (c *clientCodec) ReadResponseHeader(r *rpc.Response) error {
	if err := c.readResponse(); err != nil {
		// A writer that waits in the kernel holds the lock that rpc.Client
		// needs to fail its calls, so it has to be released first.
		c.closeConn()
		return c.endError(err)
	}
	r.Seq = c.call.seq
	r.ServiceMethod = c.call.method
	r.Error = errorText(c.current.checkedError(c.opts.maxDepth()))
	return nil
}

// readResponse reads the next response that a call waits for.
func (c *clientCodec) readResponse() error {
	for {
		b, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		m, err := parseMessage(b, c.opts.maxDepth())
		if err != nil {
			return err
		}
		switch m.kind {
		case typeResponse:
			var ok bool
			if c.call, ok = c.take(m.id); ok {
				c.current = m
				return nil
			}
			c.opts.logger().Warn(lateReply, "msgid", m.id, "bytes", m.size)
		case typeRequest:
			return &ProtocolError{fmt.Sprintf("request for %.80q on a connection that has only a client; an Endpoint serves both", m.method), nil}
		default:
			c.opts.logger().Warn("viaduct: dropped a notification: this side is only a client", "method", brief(string(m.method)))
		}
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
	err := c.opts.decodeBody(c.current.body, reply)
	if err != nil {
		c.closeConn() // rpc.Client stops reading now, and does not tell
		return &BodyError{"decode", "reply", c.call.method, typeName(reply), err}
	}
	return nil
}

func (c *clientCodec) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.closeConn()
}

// closeConn is not an error for who comes second: the codec itself may be first.
func (c *clientCodec) closeConn() (err error) {
	c.closing.Do(func() { err = c.conn.Close() })
	return err
}

// encodeRequest encodes a call, its msgid excepted, into a buffer of the pool.
func (o *Options) encodeRequest(method string, args any) (*[]byte, error) {
	msg := getBuffer()
	b, err := o.appendParams(appendRequest(*msg, method), args)
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
	if cap(*b) <= 2<<20 {
		buffers.Put(b)
	}
}
