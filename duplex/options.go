package duplex

import (
	"time"

	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/internal/handles"
)

// Options are the limits of a Conn. A nil *Options and zero fields mean the defaults, and so does
// what is below zero: New returns no error that could name it. What is above a range means its end.
type Options struct {
	// MaxMessage is the largest message accepted, in bytes, from 1. Default: 128 MiB. The memory
	// that half-received messages of one class take is bounded by the larger of MaxMessage and
	// Window.
	MaxMessage int

	// MaxSend is the MaxMessage of the other side, in bytes, from 1, if it is not the same as here:
	// the two must tell each other. Default: MaxMessage.
	MaxSend int

	// Window is how many bytes of each class the other side may send before some of them have been
	// taken, from 1 to 1 GiB. Default: 256 KiB. A message may start while any of it is left, so one
	// frame more can arrive, or one message of up to 128 KiB.
	Window int

	// SendQueue is how many bytes of messages wait to be written before further senders wait for
	// room, each with its own message, from 1. Default: 32 KiB. One message more can be queued. A
	// larger queue helps bursts of small messages, and holds up those behind them.
	SendQueue int

	// StreamWindow is how many bytes of a stream the other side may send before some of them have
	// been read, from 1 to 1 GiB. Default: 1 MiB. Each stream begins with 64 KiB or, if that is
	// less, with this.
	StreamWindow int

	// Backlog is how many streams may wait for Accept, from 1; further ones are refused. Default:
	// 128.
	Backlog int

	// Keepalive has the other side asked for a sign of life each time nothing has come from it for
	// so long. If nothing comes for as long again, the link ends with ErrUnresponsive: two to three
	// times Keepalive after the last that came. Default: 0, nobody asks.
	Keepalive time.Duration

	// Checksum has each frame, both ways, carry CRC-32C of itself and of its number, which makes it
	// 4 or 8 bytes longer. A byte that was changed, lost or put in on the way, and a frame that was
	// lost, doubled or moved, ends the link with a *ChecksumError, before anything of that frame
	// has an effect. What is lost is noticed when more comes: set Keepalive as well, so that it
	// does. It is no protection from somebody who means to deceive: who can write to the connection
	// can make sums. Both sides must set it, or the link ends with an error. Default: false.
	Checksum bool

	// frames says what the other side does not know: see handles.SetFrames. Without streams, Open
	// fails with ErrNoStreams. Without shutdown, Shutdown waits for this side only.
	frames handles.Frames
}

const (
	defaultMaxMessage   = handles.DefaultMaxMessage
	defaultWindow       = 256 << 10
	maxWindow           = 1 << 30
	defaultSendQueue    = 32 << 10
	defaultStreamWindow = 1 << 20
	defaultBacklog      = 128
)

func (o *Options) maxMessage() int {
	if o == nil || o.MaxMessage <= 0 {
		return defaultMaxMessage
	}
	return o.MaxMessage
}

func (o *Options) maxSend() int {
	if o == nil || o.MaxSend <= 0 {
		return o.maxMessage()
	}
	return o.MaxSend
}

func (o *Options) window() int {
	if o == nil || o.Window <= 0 {
		return defaultWindow
	}
	return min(o.Window, maxWindow)
}

func (o *Options) sendQueue() int {
	if o == nil || o.SendQueue <= 0 {
		return defaultSendQueue
	}
	return o.SendQueue
}

func (o *Options) streamWindow() int {
	if o == nil || o.StreamWindow <= 0 {
		return defaultStreamWindow
	}
	return min(o.StreamWindow, maxWindow)
}

func (o *Options) backlog() int {
	if o == nil || o.Backlog <= 0 {
		return defaultBacklog
	}
	return o.Backlog
}

func (o *Options) keepalive() time.Duration {
	if o == nil {
		return 0
	}
	return max(o.Keepalive, 0)
}

func (o *Options) checksum() bool { return o != nil && o.Checksum }

// sums returns those of a direction, nil if frames have none.
func (o *Options) sums(seed uint32) *framesum.Sums {
	if !o.checksum() {
		return nil
	}
	return framesum.New(seed)
}

func (o *Options) peerFrames() handles.Frames {
	if o == nil {
		return handles.Frames{}
	}
	return o.frames
}
