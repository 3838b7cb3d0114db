package duplex

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStressStreams opens streams both ways and moves 0 to 4 MiB through each direction of each, in
// writes and reads of any size, with deadlines, half-closes, early closes and
// resets, beside messages of all classes. Every byte is checked. Then one side, or both, shut down.
func TestStressStreams(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	opts := &Options{MaxMessage: 4 << 20, Window: 1 + rng.IntN(200_000), StreamWindow: 1 + rng.IntN(300_000)}
	t.Logf("window %d, of streams %d", opts.Window, opts.StreamWindow)
	overPipes(t, opts, func(t *testing.T, a, b *Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), *stressTime+60*time.Second)
		defer cancel()
		stop := time.Now().Add(*stressTime)
		var running, accepting sync.WaitGroup
		s := &streamStress{t: t}
		for i, d := range [][2]*Conn{{a, b}, {b, a}} {
			from, to := d[0], d[1]
			accepting.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(1000+i)))
				for {
					c, err := to.Accept()
					if err != nil {
						return
					}
					seed := rng.Uint64()
					accepting.Go(func() { s.play(c.(*Stream), rand.New(rand.NewPCG(seed, 2)), false) })
				}
			})
			for j := range 8 {
				rng := rand.New(rand.NewPCG(seed, uint64(100*i+j)))
				running.Go(func() {
					for time.Now().Before(stop) {
						c, err := from.Open(ctx)
						if err != nil {
							t.Errorf("open: %v", err)
							return
						}
						s.play(c.(*Stream), rng, true)
					}
				})
			}
			s.messages(ctx, &running, from, to, stop, rand.New(rand.NewPCG(seed, uint64(200+i))))
		}
		running.Wait()
		if rng.IntN(2) == 0 {
			other := make(chan error, 1)
			go func() { other <- b.Shutdown(ctx) }()
			require.NoError(t, a.Shutdown(ctx))
			require.NoError(t, <-other)
		} else {
			require.NoError(t, a.Shutdown(ctx))
			require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		}
		accepting.Wait()
		b.Close()
		a.Wait()
		b.Wait()
		requireIdle(t, a, b)
		t.Logf("%d streams, %d MiB, %d messages", s.streams.Load()/2, s.bytes.Load()>>20, s.count.Load())
	})
}

type streamStress struct {
	t                     *testing.T
	streams, bytes, count atomic.Int64
}

// play is one end of a stream: it sends a body and checks that of the other end. early says that it
// may stop reading before the end: if both did, each would wait for the other.
func (s *streamStress) play(c *Stream, rng *rand.Rand, early bool) {
	s.streams.Add(1)
	sendRNG := rand.New(rand.NewPCG(rng.Uint64(), 0))
	var cut atomic.Bool // this end has ended the stream early
	sent := make(chan error, 1)
	go func() { sent <- s.send(c, sendRNG, &cut) }()
	received := s.receive(c, rng, early)
	err := <-sent
	c.Close()
	for _, err := range []error{received, err} {
		// An end that the pipe has no room for goes on by itself.
		if err != nil && !cut.Load() && !errors.Is(err, ErrReset) && !errors.Is(err, ErrStopped) && !errors.Is(err, errEndWaits) {
			s.t.Errorf("stream: %v", err)
		}
	}
}

// send sends size and seed of a body and then the body.
func (s *streamStress) send(c *Stream, rng *rand.Rand, cut *atomic.Bool) error {
	size := rng.IntN(1 << rng.IntN(23))
	seed := rng.Uint32N(1 << 31)
	body := body(int(seed), size)
	end := size + 8 // where this end stops: mostly at the end
	if rng.IntN(6) == 0 {
		end = rng.IntN(size + 9)
	}
	all := append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(size)), seed), body...)
	for off := 0; off < end; {
		n := min(end-off, rng.IntN(1<<rng.IntN(20))+1)
		if rng.IntN(4) == 0 {
			c.SetWriteDeadline(time.Now().Add(time.Duration(rng.IntN(300)) * time.Microsecond))
		}
		m, err := c.Write(all[off : off+n])
		off += m
		s.bytes.Add(int64(m))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.SetWriteDeadline(time.Time{})
		} else if err != nil {
			return err
		}
		if rng.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	if end < len(all) {
		cut.Store(true)
		return c.Reset()
	}
	if err := c.CloseWrite(); !errors.Is(err, errEndWaits) { // the machine is busy: it goes out by itself
		return err
	}
	return nil
}

// receive checks what send has sent.
func (s *streamStress) receive(c *Stream, rng *rand.Rand, early bool) error {
	r := &lateReader{c, rng}
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size, seed := int(binary.LittleEndian.Uint32(head[:])), int(binary.LittleEndian.Uint32(head[4:]))
	want := body(seed, size)
	end := size
	if early && rng.IntN(4) == 0 {
		end = rng.IntN(size + 1)
	}
	buf := make([]byte, 1<<rng.IntN(18))
	for off := 0; off < end; {
		n, err := r.Read(buf[:min(len(buf), end-off)])
		if !bytes.Equal(want[off:off+n], buf[:n]) {
			s.t.Errorf("bytes %d to %d of a stream were changed", off, off+n)
		}
		off += n
		if err == io.EOF {
			return fmt.Errorf("end of the stream after %d of %d bytes", off, size)
		} else if err != nil {
			return err
		}
	}
	if end < size {
		return nil // closed when this end has sent what it has
	}
	if n, err := r.Read(buf); n != 0 || err != io.EOF {
		return fmt.Errorf("%d bytes behind the end, %w", n, err)
	}
	return nil
}

// lateReader reads with deadlines that may pass, until there is something.
type lateReader struct {
	net.Conn
	rng *rand.Rand
}

func (r *lateReader) Read(p []byte) (int, error) {
	for {
		if r.rng.IntN(4) == 0 {
			r.SetReadDeadline(time.Now().Add(time.Duration(r.rng.IntN(300)) * time.Microsecond))
		}
		n, err := r.Conn.Read(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		r.SetReadDeadline(time.Time{})
	}
}

// messages sends messages from one side and has the other echo calls.
func (s *streamStress) messages(ctx context.Context, running *sync.WaitGroup, from, to *Conn, stop time.Time, rng *rand.Rand) {
	echoed := make(chan []byte, 1)
	from.ClientLane().Receive(func(msg []byte, _ bool) bool { echoed <- msg; return true }, ignore, func(error) {})
	calls := make(chan []byte, 1)
	to.ServerLane().Receive(func(msg []byte, notification bool) bool {
		checkBody(s.t, msg)
		if !notification {
			calls <- msg
		}
		return true
	}, ignore, func(error) { close(calls) })
	go func() {
		for msg := range calls {
			if err := to.ServerLane().Send(ctx, msg, false); err != nil {
				s.t.Errorf("reply: %v", err)
			}
		}
	}()
	running.Go(func() {
		for i := 0; time.Now().Before(stop); i++ {
			msg := body(i, 8+rng.IntN(1<<rng.IntN(22)))
			if err := from.ClientLane().Send(ctx, msg, true); err != nil {
				s.t.Errorf("notification: %v", err)
				return
			}
			if err := from.ClientLane().Send(ctx, msg, false); err != nil {
				s.t.Errorf("call: %v", err)
				return
			}
			s.count.Add(3)
			select {
			case back := <-echoed:
				if !bytes.Equal(msg, back) {
					s.t.Errorf("message %d of %d bytes came back changed", i, len(msg))
				}
			case <-ctx.Done():
				s.t.Errorf("no reply")
				return
			}
		}
	})
}
