package viaduct

import (
	"errors"
	"io"
	"net/rpc"
	"sync"
)

// serverCodec is the codec for those who run rpc.ServeCodec themselves.
type serverCodec struct {
	conn messageConn
	opts *Options

	current message // the request between its header and its body; owned by ServeCodec
	notes   uint64  // notifications so far; owned by ServeCodec

	closing sync.Once
}

// noteSeq marks the sequence numbers of notifications, to which no reply is sent.
const noteSeq = maxID + 1

func (c *serverCodec) ReadRequestHeader(r *rpc.Request) error {
	m, err := c.readRequest()
	if err != nil {
		return err
	}
	c.current = m
	r.ServiceMethod = c.opts.serviceMethod(m.method)
	r.Seq = uint64(m.id)
	if m.kind == typeNotification {
		c.notes++
		r.Seq = noteSeq + c.notes
	}
	return nil
}

// readRequest returns the next request or notification. A cancel is passed
// over: net/rpc's own way of serving cannot heed it, and answers when the method has returned.
func (c *serverCodec) readRequest() (m message, err error) {
	for {
		b, err := c.conn.ReadMessage()
		if err != nil {
			return m, err
		}
		m, err = parseMessage(b, c.opts.maxDepth())
		if err == nil && m.kind == typeResponse {
			err = &ProtocolError{"response on a connection that has only a server; an Endpoint serves both", nil}
		}
		if err != nil {
			c.Close()
			return m, err
		}
		if !m.isCancel() {
			return m, nil
		}
	}
}

func (c *serverCodec) ReadRequestBody(args any) error {
	return c.current.decodeArgument(args, c.opts)
}

// WriteResponse is called by one goroutine at a time. net/rpc ignores its error.
func (c *serverCodec) WriteResponse(r *rpc.Response, reply any) error {
	if r.Seq > noteSeq {
		if r.Error != "" {
			c.opts.logger().Warn(noteFailed, "method", brief(r.ServiceMethod), "error", brief(r.Error))
		}
		return nil
	}
	msg := c.opts.encodeReply(r, reply)
	defer putBuffer(msg)
	err := c.conn.WriteMessage(*msg)
	if err == nil {
		return nil
	}
	if !isWriteError(err) {
		// Not a byte has left; the caller must still hear something.
		*msg = appendErrorReply((*msg)[:0], uint32(r.Seq), err.Error())
		err = c.conn.WriteMessage(*msg)
	}
	if err != nil {
		c.Close()
	}
	return err
}

func (c *serverCodec) Close() (err error) {
	c.closing.Do(func() { err = c.conn.Close() })
	return err
}

// decodeArgument decodes a request's argument for net/rpc, which passes nil
// to say that nobody wants it.
func (m *message) decodeArgument(args any, o *Options) error {
	if args == nil {
		return nil
	}
	err := o.decodeParams(m, args)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("truncated argument")
	}
	if err != nil {
		return &BodyError{"decode", "arguments", string(m.method), typeName(args), err}
	}
	return nil
}

// encodeReply encodes the answer to a call into a buffer of the pool. A reply that
// cannot be encoded becomes an error: the caller waits for an answer.
func (o *Options) encodeReply(r *rpc.Response, reply any) *[]byte {
	msg := getBuffer()
	id := uint32(r.Seq)
	if r.Error != "" {
		*msg = appendErrorReply(*msg, id, r.Error)
		return msg
	}
	b, err := o.appendBody(appendReply(*msg, id), reply)
	if err != nil {
		err = &BodyError{"encode", "reply", r.ServiceMethod, typeName(reply), err}
		b = appendErrorReply((*msg)[:0], id, err.Error())
	}
	*msg = b
	return msg
}

// noteFailed is what a Logger is told, as nobody else hears of it.
const noteFailed = "viaduct: one-way call failed"

// brief cuts off what a peer has made long: a Logger may keep it.
func brief(s string) string {
	if len(s) > 400 {
		return s[:400] + "..."
	}
	return s
}
