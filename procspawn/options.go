package procspawn

import "time"

// Options adjust Start, Inherited and Handshake. A nil *Options and a zero
// field mean the default.
type Options struct {
	// HandshakeTimeout bounds the exchange of hellos, in addition to the
	// context. Default: 10 s.
	HandshakeTimeout time.Duration

	// MaxMessage is the largest message, in bytes, that this side accepts.
	// It is announced in the hello; the layers above keep to it.
	// Default: 128 MiB.
	MaxMessage int

	// Encoding names what arguments and replies are encoded in, in 1 to 64
	// bytes; who names another is refused. rpcpipe sets it. Default: msgpack.
	Encoding string

	// Bodies are the body formats that this side can read, as the layers above
	// name them; they are announced in the hello. Default: msgpack.
	Bodies []string

	// Features name what else the layers above understand; they are announced
	// in the hello. rpcpipe sets them.
	Features []string

	// CloseTimeout is how long Stop leaves a child to exit by itself once its
	// link is closed. Default: 2 s; negative: no time at all.
	CloseTimeout time.Duration

	// TermTimeout is how long Stop leaves a child to exit upon SIGTERM before
	// it is killed. Default: 2 s; negative: no time at all.
	TermTimeout time.Duration

	// ExitTimeout is for the child: when its link has ended because the
	// parent is gone, the process is gone within this limit, callbacks
	// included. Default: 1 s; negative: it never exits on its own.
	ExitTimeout time.Duration
}

func (o *Options) handshakeTimeout() time.Duration {
	if o == nil || o.HandshakeTimeout == 0 {
		return 10 * time.Second
	}
	return o.HandshakeTimeout
}

func (o *Options) maxMessage() int {
	if o == nil || o.MaxMessage <= 0 {
		return 128 << 20
	}
	return o.MaxMessage
}

func (o *Options) encoding() string {
	if o == nil || o.Encoding == "" {
		return defaultEncoding
	}
	return o.Encoding
}

func (o *Options) bodies() []string {
	if o == nil || len(o.Bodies) == 0 {
		return []string{"msgpack"}
	}
	return o.Bodies
}

func (o *Options) features() []string {
	if o == nil {
		return nil
	}
	return o.Features
}

func (o *Options) closeTimeout() time.Duration {
	if o == nil || o.CloseTimeout == 0 {
		return 2 * time.Second
	}
	return o.CloseTimeout
}

func (o *Options) termTimeout() time.Duration {
	if o == nil || o.TermTimeout == 0 {
		return 2 * time.Second
	}
	return o.TermTimeout
}

func (o *Options) exitTimeout() time.Duration {
	if o == nil || o.ExitTimeout == 0 {
		return time.Second
	}
	return o.ExitTimeout
}
