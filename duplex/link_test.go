package duplex

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// pair returns both ends of a link in memory, which is closed with the test.
func pair(t testing.TB, opts *Options) (a, b *Conn) {
	t.Helper()
	x, y := net.Pipe()
	return pairOver(t, x, y, opts)
}

func pairOver(t testing.TB, x, y io.ReadWriteCloser, opts *Options) (a, b *Conn) {
	if opts == nil {
		opts = new(Options)
	}
	o := *opts
	o.frames.Eager = o.frames.Eager || tuning.Eager
	if tuning.Capacity && o.frames.SetLarge == nil {
		o.frames.SetLarge = func(bool) bool { return true } // what is held up is the same for any pipe
	}
	opts = &o
	a, b = New(x, opts), New(y, opts)
	t.Cleanup(func() {
		a.Close()
		b.Close()
		a.Wait()
		b.Wait()
	})
	return a, b
}

// tapped is pair with a stopper in what a writes.
func tapped(t testing.TB, opts *Options) (s *stopper, a, b *Conn) {
	x, y := net.Pipe()
	s = &stopper{}
	a, b = pairOver(t, &tap{ReadWriteCloser: x, see: s.see}, y, opts)
	return s, a, b
}

// files is one end of two pipes. WriteNow is in files_unix_test.go.
type files struct{ r, w *os.File }

func (f *files) Read(p []byte) (int, error)  { return f.r.Read(p) }
func (f *files) Write(p []byte) (int, error) { return f.w.Write(p) }
func (f *files) Close() error {
	f.w.Close()
	return f.r.Close()
}

// plain hides WriteNow.
type plain struct{ io.ReadWriteCloser }

// osPipes returns two ends joined by a pipe each way.
func osPipes(t testing.TB) (x, y *files) {
	t.Helper()
	r1, w1, err := os.Pipe()
	require.NoError(t, err)
	r2, w2, err := os.Pipe()
	require.NoError(t, err)
	x, y = &files{r1, w2}, &files{r2, w1}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x, y
}

// overPipes runs f over real pipes with and without WriteNow.
func overPipes(t *testing.T, opts *Options, f func(t *testing.T, a, b *Conn)) {
	t.Run("write", func(t *testing.T) {
		x, y := osPipes(t)
		a, b := pairOver(t, plain{x}, plain{y}, opts)
		f(t, a, b)
	})
	t.Run("write now", func(t *testing.T) {
		x, y := osPipes(t)
		a, b := pairOver(t, x, y, opts)
		if a.writer.writeNow == nil {
			t.Skip("the connection cannot write without waiting here")
		}
		f(t, a, b)
	})
}

// tap is a connection that looks at the frames written to it.
type tap struct {
	io.ReadWriteCloser
	see  func(h header) // called before the frame's last byte is written; may wait
	buf  []byte
	skip int
}

func (t *tap) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if t.skip > 0 {
			n := min(t.skip, len(rest))
			t.skip, rest = t.skip-n, rest[n:]
			continue
		}
		n := min(headerSize-len(t.buf), len(rest))
		t.buf, rest = append(t.buf, rest[:n]...), rest[n:]
		if len(t.buf) == headerSize {
			h, err := parseHeader(t.buf)
			if err != nil {
				return 0, err
			}
			t.buf, t.skip = t.buf[:0], int(h.length)
			t.see(h)
		}
	}
	return t.ReadWriteCloser.Write(p)
}

// trace records frames.
type trace struct {
	mu     sync.Mutex
	frames []header
}

func (tr *trace) see(h header) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.frames = append(tr.frames, h)
}

func (tr *trace) take() []header {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	f := tr.frames
	tr.frames = nil
	return f
}

// inbox receives the messages of a lane.
type inbox struct {
	lane *Lane
	hold bool // messages are not taken until release

	mu   sync.Mutex
	msgs [][]byte
	end  error
	ends int
	more chan struct{} // one slot
}

func receive(l *Lane, hold bool) *inbox {
	in := &inbox{lane: l, hold: hold, more: make(chan struct{}, 1)}
	l.Receive(in.deliver, ignore, in.ended)
	return in
}

func (in *inbox) deliver(msg []byte, _ bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.msgs = append(in.msgs, msg)
	in.signal()
	return !in.hold
}

func (in *inbox) ended(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.end = err
	in.ends++
	in.signal()
}

func (in *inbox) signal() {
	select {
	case in.more <- struct{}{}:
	default:
	}
}

func (in *inbox) len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.msgs)
}

// take takes what has come.
func (in *inbox) take() [][]byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	msgs := in.msgs
	in.msgs = nil
	return msgs
}

// wait waits until n messages have come, and takes them.
func (in *inbox) wait(t testing.TB, n int) [][]byte {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		in.mu.Lock()
		got, ended := len(in.msgs), in.ends > 0
		in.mu.Unlock()
		switch {
		case got >= n:
			return in.take()
		case ended:
			require.FailNow(t, "link ended", "after %d of %d messages: %v", got, n, in.end)
		}
		select {
		case <-in.more:
		case <-limit:
			require.FailNow(t, "stuck", "after %d of %d messages", got, n)
		}
	}
}

// noise is of a prime length, so that no two frames of a body are alike.
var noise = func() []byte {
	b := make([]byte, 65521)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// body returns a message of n bytes that follow from seed. From 8 bytes on
// checkBody can tell the seed.
func body(seed, n int) []byte {
	b := make([]byte, n)
	for done, from := 0, seed%len(noise); done < n; from = 0 {
		done += copy(b[done:], noise[from:])
	}
	if n >= 8 {
		binary.LittleEndian.PutUint32(b, uint32(seed))
		binary.LittleEndian.PutUint32(b[4:], uint32(n))
	}
	return b
}

// checkBody returns the seed of a message made by body, of 8 bytes at least.
func checkBody(t testing.TB, msg []byte) (seed int) {
	t.Helper()
	require.GreaterOrEqual(t, len(msg), 8)
	seed = int(binary.LittleEndian.Uint32(msg))
	require.True(t, bytes.Equal(body(seed, len(msg)), msg), "message %d of %d bytes was changed", seed, len(msg))
	return seed
}

// sending sends in a goroutine and returns where the error comes.
func sending(ctx context.Context, l *Lane, msg []byte, isNotification bool) <-chan error {
	c := make(chan error, 1)
	go func() { c <- l.Send(ctx, msg, isNotification) }()
	return c
}

// requireIdle checks that c owes nothing and is owed nothing. Nothing may be
// going on: the link has ended, or all goroutines of the bubble wait.
func requireIdle(t testing.TB, conns ...*Conn) {
	t.Helper()
	for _, c := range conns {
		for cl := range numClasses {
			ic := &c.credits.classes[cl]
			require.Equal(t, c.credits.window, ic.granted.Load()-ic.used+ic.owed.Load(), "credit of class %v", cl)
			c.grants.mu.Lock()
			require.Zero(t, c.grants.taken[cl], "bytes granted of class %v", cl)
			require.Empty(t, c.grants.waiting[cl], "messages of class %v that wait for a grant", cl)
			c.grants.mu.Unlock()
			c.writer.mu.Lock()
			require.Empty(t, c.writer.queues.classes[cl].unfinished, "open messages of class %v", cl)
			require.Empty(t, c.writer.queues.classes[cl].waiting, "waiting messages of class %v", cl)
			require.Empty(t, c.writer.queues.turns)
			c.writer.mu.Unlock()
		}
	}
}

// requireAgree checks besides that both ends of a link that is up count alike.
func requireAgree(t testing.TB, a, b *Conn) {
	t.Helper()
	requireIdle(t, a, b)
	for _, d := range [][2]*Conn{{a, b}, {b, a}} {
		for cl := range numClasses {
			ic := &d[1].credits.classes[cl]
			require.Equal(t, ic.granted.Load()-ic.used, d[0].writer.queues.classes[cl].credit, "credit of class %v", cl)
		}
	}
}

// ignore is for who expects no urgent messages.
func ignore([]byte) {}
