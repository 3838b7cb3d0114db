package codec

import (
	"context"
	"io"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// serverCodec is the codec for those who run rpc.ServeCodec themselves.
type serverCodec struct {
	conn link.Messages
	cfg  Config

	// The request between its header and its body, its number, and how many
	// notifications there were; owned by ServeCodec.
	current       message.Message
	seq           uint64
	notifications uint64
	account       body.Account // of the latest argument

	up     context.Context // until the connection ends
	endUp  context.CancelFunc
	memory body.Memory                   // what the arguments of requests take
	mu     sync.Mutex                    // guards what follows
	taken  map[uint64]*body.Account      // of requests whose argument takes much
	stops  map[uint64]context.CancelFunc // of requests whose argument asked for a context

	closing sync.Once
}

// NewServer returns a codec for rpc.ServeCodec.
func NewServer(conn io.ReadWriteCloser, cfg Config) rpc.ServerCodec {
	c := &serverCodec{conn: link.Of(conn, cfg.MaxMessage), cfg: cfg, stops: make(map[uint64]context.CancelFunc), taken: make(map[uint64]*body.Account)}
	c.memory.Limit = maxMemory
	c.up, c.endUp = context.WithCancel(context.Background())
	return c
}

func (c *serverCodec) ReadRequestHeader(r *rpc.Request) error {
	m, err := c.readRequest()
	if err != nil {
		c.endUp() // Close comes only when all methods have returned
		return err
	}
	c.current = m
	r.ServiceMethod = serve.Name(c.cfg.ServiceMethod, m.Method)
	r.Seq = uint64(m.ID)
	if m.Kind == message.Notification {
		c.notifications++
		r.Seq = serve.NotificationSeq + c.notifications
	}
	c.seq = r.Seq
	return nil
}

// readRequest returns the next request or notification. A cancel ends the
// context of its method; net/rpc's own way of serving answers when that has returned.
func (c *serverCodec) readRequest() (m message.Message, err error) {
	for {
		b, err := c.conn.ReadMessage()
		if err != nil {
			return m, err
		}
		m, err = message.Parse(b, c.cfg.Message.Body.Depth())
		if err == nil && m.Kind == message.Response {
			err = &fault.ProtocolError{Reason: "response on a connection that has only a server; rpcpipe.NewBare serves both"}
		}
		if err != nil {
			c.Close()
			return m, err
		}
		if !m.IsCancel() {
			return m, nil
		}
		if id, err := m.CancelledID(); err == nil {
			c.stop(uint64(id))
		}
	}
}

// maxMemory bounds what the arguments of all requests take that are being handled.
const maxMemory = 512 << 20

func (c *serverCodec) keep(seq uint64, memory body.Account) {
	c.free(seq) // a msgid used again while it is in use
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken[seq] = &memory
}

// free gives back what the argument of a request has taken.
func (c *serverCodec) free(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if memory := c.taken[seq]; memory != nil {
		memory.Free()
		delete(c.taken, seq)
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
	c.account = body.Account{Of: &c.memory}
	if err := c.cfg.Message.DecodeArgument(&c.current, args, &c.account); err != nil {
		c.account.Free()
		return err
	}
	if c.account.Taken() > 0 {
		c.keep(c.seq, c.account)
	}
	t, ok := args.(serve.ContextTaker)
	if !ok {
		return nil
	}
	ctx, stop := context.WithCancel(c.up)
	c.stop(c.seq) // a msgid used again while it is in use
	c.mu.Lock()
	c.stops[c.seq] = stop
	c.mu.Unlock()
	return serve.GiveContext(t, ctx, string(c.current.Method))
}

// WriteResponse is called by one goroutine at a time. net/rpc ignores its error.
func (c *serverCodec) WriteResponse(r *rpc.Response, reply any) error {
	defer c.stop(r.Seq)
	c.free(r.Seq)
	if r.Seq > serve.NotificationSeq {
		if r.Error != "" {
			c.cfg.Logger.Warn(serve.FailedNotification, "method", message.Brief(r.ServiceMethod), "error", message.Brief(r.Error))
		}
		return nil
	}
	msg := buffer.Get()
	defer buffer.Put(msg)
	if r.Error != "" {
		*msg = message.AppendErrorText(*msg, uint32(r.Seq), r.Error)
	} else {
		c.cfg.Message.EncodeReply(msg, uint32(r.Seq), r.ServiceMethod, reply, maxSend(c.conn, c.cfg.MaxMessage))
	}
	err := c.conn.WriteMessage(*msg)
	if err == nil {
		return nil
	}
	if !link.IsWriteError(err) {
		// Not a byte has left; the caller must still hear something.
		*msg = message.AppendErrorText((*msg)[:0], uint32(r.Seq), err.Error())
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
