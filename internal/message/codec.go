package message

import (
	"errors"
	"slices"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
)

// Codec says how the messages of a link are written and read. It does not change.
type Codec struct {
	Body *body.Codec

	// Extended says that the other side understands what is more than MessagePack-RPC: what goes
	// with a call besides its arguments, and errors with parts. Both sides must be so.
	Extended bool
}

// EncodeRequest encodes a call, its msgid excepted (see SetID), into a buffer, which [buffer.Put]
// takes back. It has at most limit bytes. The error is a *fault.BodyError or *fault.SizeError.
func (c *Codec) EncodeRequest(method string, args any, limit int) (*[]byte, error) {
	return c.encode(AppendRequest, method, args, limit)
}

// EncodeNotification is EncodeRequest of a notification, which has no msgid.
func (c *Codec) EncodeNotification(method string, args any, limit int) (*[]byte, error) {
	return c.encode(AppendNotification, method, args, limit)
}

func (c *Codec) encode(head func([]byte, string) []byte, method string, args any, limit int) (*[]byte, error) {
	msg := buffer.Get()
	b, err := c.appendParams(head(*msg, method), args, limit)
	if err != nil {
		buffer.Put(msg)
		if size := sizeError(err); size != nil {
			return nil, size
		}
		return nil, NotSent(method, args, err)
	}
	*msg = b
	return msg, nil
}

// Encoded are the params of a call, encoded before it is made, in the place of its arguments, or a
// result, encoded before or to be decoded later, in the place of its reply.
type Encoded struct{ b []byte }

// NewEncoded returns b in the place of what it is the MessagePack of.
func NewEncoded(b []byte) *Encoded { return &Encoded{b} }

// Bytes returns what is encoded, in whatever encoding.
func (e *Encoded) Bytes() []byte { return e.b }

// EncodeParams encodes the params of a call for any time later.
func (c *Codec) EncodeParams(method string, args any, limit int) (*Encoded, error) {
	msg, err := c.encode(func(b []byte, _ string) []byte { return b }, method, args, limit)
	if err != nil {
		return nil, err
	}
	defer buffer.Put(msg)
	return &Encoded{slices.Clone(*msg)}, nil
}

// DecodeEncoded decodes a result that was kept.
func (c *Codec) DecodeEncoded(e *Encoded, method string, reply any) error {
	return c.DecodeReply(&Message{Body: e.b}, method, reply)
}

func (c *Codec) appendParams(b []byte, args any, limit int) ([]byte, error) {
	encoded, ok := args.(*Encoded)
	if !ok {
		return c.Body.AppendParams(b, args, limit)
	}
	if n := len(b) + len(encoded.b); n > limit {
		return b, &fault.SizeError{Size: n, Limit: limit}
	}
	return append(b, encoded.b...), nil
}

func (c *Codec) appendResult(b []byte, reply any, limit int) ([]byte, error) {
	if _, ok := reply.(*Encoded); ok {
		return c.appendParams(b, reply, limit)
	}
	return c.Body.AppendWithin(b, reply, limit)
}

// sizeError returns the *fault.SizeError that err is about, nil if it is about something else: it
// is the whole message that is too large, wherever that was seen.
func sizeError(err error) (size *fault.SizeError) {
	errors.As(err, &size)
	return size
}

// NotSent is the error of a call whose arguments cannot be sent, err says why.
func NotSent(method string, args any, err error) error {
	return &fault.BodyError{Op: "encode", What: "arguments", Method: method, Type: body.TypeName(args), Err: err}
}

// DecodeArgument decodes a request's argument for net/rpc, which passes nil to say that nobody
// wants it. The account, which may be nil, is charged for it. The error is a *fault.BodyError, or
// fault.ErrOverload where the account cannot be charged.
func (c *Codec) DecodeArgument(m *Message, args any, account *body.Account) error {
	if args == nil {
		return nil
	}
	m.checkParams(c.Body.Depth())
	err := c.Body.DecodeParams(m.Body, args, account)
	switch {
	case errors.Is(err, body.ErrMemory):
		return errNoMemory
	case err != nil:
		return &fault.BodyError{Op: "decode", What: "arguments", Method: string(m.Method), Type: body.TypeName(args), Err: err}
	}
	return nil
}

var errNoMemory = Overload("viaduct: call refused: the arguments of calls that are running leave no memory for its own (MaxHandlerBytes of the side that takes it)")

// DecodeReply decodes the result of a response to a call of method. The error is a
// *fault.BodyError.
func (c *Codec) DecodeReply(m *Message, method string, reply any) error {
	if kept, ok := reply.(*Encoded); ok {
		kept.b = m.Body // each message has a buffer of its own
		return nil
	}
	if err := c.Body.Decode(m.Body, reply); err != nil {
		return &fault.BodyError{Op: "decode", What: "reply", Method: method, Type: body.TypeName(reply), Err: err}
	}
	return nil
}

// EncodeReply encodes the answer to a call into msg, in at most limit bytes. A reply that cannot be
// encoded so becomes an error, which it returns: the caller waits for an answer.
func (c *Codec) EncodeReply(msg *[]byte, id uint32, method string, reply any, limit int) *Failure {
	b, err := c.appendResult(appendReply(*msg, id), reply, limit)
	if err == nil {
		*msg = b
		return nil
	}
	f := OwnFailure(&fault.BodyError{Op: "encode", What: "reply", Method: method, Type: body.TypeName(reply), Err: err})
	if size := sizeError(err); size != nil {
		f = OwnFailure(size)
	}
	*msg = c.AppendFailure((*msg)[:0], id, f, limit)
	return f
}
