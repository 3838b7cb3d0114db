package duplex

// Options are the limits of a Conn. A nil *Options and zero fields mean the defaults.
type Options struct {
	// MaxMessage is the largest message accepted, in bytes, from 1.
	// Default: 128 MiB. The memory that half-received messages of one class
	// take is bounded by the larger of MaxMessage and Window.
	MaxMessage int

	// MaxSend is the largest message that the other side accepts, in bytes, as
	// it has said (viaduct's hello does). Default: MaxMessage.
	MaxSend int

	// Window is how many bytes of each class the other side may send before
	// some of them have been taken, from 1 to 1 GiB. Default: 256 KiB. A
	// message may start while any of it is left, so one frame more can arrive.
	Window int
}

const (
	// DefaultMaxMessage is Options.MaxMessage if that is not set, in bytes.
	DefaultMaxMessage = 128 << 20

	defaultWindow = 256 << 10
	maxWindow     = 1 << 30
)

func (o *Options) maxMessage() int {
	if o == nil || o.MaxMessage <= 0 {
		return DefaultMaxMessage
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
