// Package codec has net/rpc's codecs for connections on which calls travel one way, in the shape of
// net/rpc/jsonrpc.
//
// It assumes a connection that carries bytes, or one that carries messages (link.Messages). It
// promises what the contract of net/rpc's codecs asks for, which net/rpc does not write down: see
// the methods.
package codec

import (
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
)

// Config says how a codec works. It does not change.
type Config struct {
	Message       message.Codec
	MaxMessage    int                        // the largest message on a bare connection, in bytes
	ServiceMethod func(method string) string // see serve.Config
	Logger        *slog.Logger               // told of what would otherwise vanish
}

// NewClient returns a codec for rpc.NewClientWithCodec.
func NewClient(conn io.ReadWriteCloser, cfg Config) rpc.ClientCodec {
	return &clientCodec{conn: link.Of(conn, cfg.MaxMessage), cfg: cfg, calls: make(map[uint32]sentCall)}
}

// clientCodec is the codec for standard clients on a connection of their own.
type clientCodec struct {
	conn link.Messages
	cfg  Config

	// The reply between its header and its body, and its call; owned by rpc's reader.
	current message.Message
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
	msg, err := c.cfg.Message.EncodeRequest(r.ServiceMethod, args, maxSend(c.conn, c.cfg.MaxMessage))
	if err != nil {
		return err
	}
	defer buffer.Put(msg)
	id, err := c.add(sentCall{r.Seq, r.ServiceMethod})
	if err != nil {
		return err
	}
	message.SetID(*msg, id)
	if err := c.conn.WriteMessage(*msg); err != nil {
		if link.IsWriteError(err) {
			c.closeConn()
		}
		c.take(id)
		return err
	}
	return nil
}

// maxSend is the size of the largest message that may be sent on conn, which a lane knows itself.
func maxSend(conn link.Messages, max int) int {
	if lane, ok := conn.(interface{ MaxSend() int }); ok {
		return lane.MaxSend()
	}
	return max
}

func (c *clientCodec) add(call sentCall) (id uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if uint64(len(c.calls)) > message.MaxID {
		return 0, message.ErrNoID
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
	r.Error = c.cfg.Message.ErrorText(&c.current)
	return nil
}

// readResponse reads the next response that a call waits for.
func (c *clientCodec) readResponse() error {
	for {
		b, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		m, err := message.Parse(b, c.cfg.Message.Body.Depth())
		if err != nil {
			return err
		}
		switch m.Kind {
		case message.Response:
			var ok bool
			if c.call, ok = c.take(m.ID); ok {
				c.current = m
				return nil
			}
			c.cfg.Logger.Warn(message.LateReply, "msgid", m.ID, "bytes", m.Size)
		case message.Request:
			return &fault.ProtocolError{Reason: fmt.Sprintf("request for %.80q on a connection that has only a client; rpcpipe.NewBare serves both", m.Method)}
		default:
			c.cfg.Logger.Warn("viaduct: dropped a notification: this side is only a client", "method", message.Brief(string(m.Method)))
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
	err := c.cfg.Message.DecodeReply(&c.current, c.call.method, reply)
	if err != nil {
		c.closeConn() // rpc.Client stops reading now, and does not tell
	}
	return err
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
