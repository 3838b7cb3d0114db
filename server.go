package viaduct

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"sync"
)

// serverCodec is the codec for those who run rpc.ServeCodec themselves.
type serverCodec struct {
	conn messageConn
	opts *Options

	// The request between its header and its body, its number, and how many
	// notifications there were; owned by ServeCodec.
	current message
	seq     uint64
	notes   uint64

	up    context.Context // until the connection ends
	endUp context.CancelFunc
	mu    sync.Mutex                    // guards stops
	stops map[uint64]context.CancelFunc // of requests whose argument asked for a context

	closing sync.Once
}

func newServerCodec(conn messageConn, o *Options) *serverCodec {
	c := &serverCodec{conn: conn, opts: o, stops: make(map[uint64]context.CancelFunc)}
	c.up, c.endUp = context.WithCancel(context.Background())
	return c
}

// noteSeq marks the sequence numbers of notifications, to which no reply is sent.
const noteSeq = maxID + 1

func (c *serverCodec) ReadRequestHeader(r *rpc.Request) error {
	m, err := c.readRequest()
	if err != nil {
		c.endUp() // Close comes only when all methods have returned
		return err
	}
	c.current = m
	r.ServiceMethod = c.opts.serviceMethod(m.method)
	r.Seq = uint64(m.id)
	if m.kind == typeNotification {
		c.notes++
		r.Seq = noteSeq + c.notes
	}
	c.seq = r.Seq
	return nil
}

// readRequest returns the next request or notification. A cancel ends the
// context of its method; net/rpc's own way of serving answers when that has returned.
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
		if id, err := m.cancelled(); err == nil {
			c.stop(uint64(id))
		}
	}
}

// stop ends the context of a request, if it has one.
func (c *serverCodec) stop(seq uint64) {
	c.mu.Lock()
	stop := c.stops[seq]
	delete(c.stops, seq)
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (c *serverCodec) ReadRequestBody(args any) error {
	if err := c.current.decodeArgument(args, c.opts); err != nil {
		return err
	}
	t, ok := args.(contextTaker)
	if !ok {
		return nil
	}
	ctx, stop := context.WithCancel(c.up)
	c.stop(c.seq) // a msgid used again while it is in use
	c.mu.Lock()
	c.stops[c.seq] = stop
	c.mu.Unlock()
	return giveContext(t, ctx, c.current.method)
}

// WriteResponse is called by one goroutine at a time. net/rpc ignores its error.
func (c *serverCodec) WriteResponse(r *rpc.Response, reply any) error {
	defer c.stop(r.Seq)
	if r.Seq > noteSeq {
		if r.Error != "" {
			c.opts.logger().Warn(noteFailed, "method", brief(r.ServiceMethod), "error", brief(r.Error))
		}
		return nil
	}
	msg := getBuffer()
	defer putBuffer(msg)
	if r.Error != "" {
		*msg = appendErrorReply(*msg, uint32(r.Seq), r.Error)
	} else {
		c.opts.encodeReply(msg, uint32(r.Seq), r.ServiceMethod, reply)
	}
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
	c.endUp()
	c.closing.Do(func() { err = c.conn.Close() })
	return err
}

// decodeArgument decodes a request's argument for net/rpc, which passes nil
// to say that nobody wants it.
func (m *message) decodeArgument(args any, o *Options) error {
	if args == nil {
		return nil
	}
	m.checkParams(o.maxDepth())
	err := o.decodeParams(m, args)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("truncated argument")
	}
	if err != nil {
		return &BodyError{"decode", "arguments", string(m.method), typeName(args), err}
	}
	return nil
}

// encodeReply encodes the answer to a call into msg. A reply that
// cannot be encoded becomes an error, which it returns: the caller waits for an answer.
func (o *Options) encodeReply(msg *[]byte, id uint32, method string, reply any) (f *failed) {
	b, err := o.appendBody(appendReply(*msg, id), reply)
	if err != nil {
		err = &BodyError{"encode", "reply", method, typeName(reply), err}
		f = &failed{err, err.Error(), true}
		b = o.appendFailure((*msg)[:0], id, f)
	}
	*msg = b
	return f
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
