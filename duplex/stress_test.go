package duplex

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

var (
	stressSeed = flag.Uint64("stress.seed", 0, "seed of the stress test, 0 for one of its own")
	stressTime = flag.Duration("stress.time", 250*time.Millisecond, "how long the stress test sends on each kind of connection")
)

// seedOf returns the seed for a test, which it logs.
func seedOf(t *testing.T) uint64 {
	seed := *stressSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-stress.seed=%d", seed)
	return seed
}

// TestStress sends messages of all classes both ways, of all sizes, some given
// up at any point, to receivers that take them late. Every byte is checked.
func TestStress(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	opts := &Options{MaxMessage: 1 << 20, Window: 1 + rng.IntN(200_000)}
	t.Logf("window %d", opts.Window)
	overPipes(t, opts, func(t *testing.T, a, b *Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), *stressTime+60*time.Second)
		defer cancel()
		var sending, taking sync.WaitGroup
		var all []*stress
		stop := time.Now().Add(*stressTime)
		for i, d := range [][2]*Conn{{a, b}, {b, a}} {
			s := &stress{t: t, seen: map[uint32]bool{}, last: map[uint32]uint32{}, more: make(chan struct{}, 1)}
			all = append(all, s)
			for cl := range numClasses {
				s.late[cl] = make(chan int, 1<<16)
				lane := ways[cl].in(d[1])
				taking.Go(func() {
					for n := range s.late[cl] {
						runtime.Gosched()
						lane.Release(n, cl == notification)
					}
				})
			}
			d[1].ServerLane().Receive(s.deliver, ignore, func(error) {})
			d[1].ClientLane().Receive(s.deliver, ignore, func(error) {})
			for _, w := range ways {
				senders := 6
				if w.class == notification {
					senders = 1 // so that the order of all of them is known
				}
				for j := range senders {
					rng := rand.New(rand.NewPCG(seed, uint64(1+i*100+int(w.class)*10+int(j))))
					sending.Go(func() { s.send(ctx, w.out(d[0]), w.class, uint32(j), rng, stop) })
				}
			}
		}
		sending.Wait()
		for _, s := range all {
			s.wait(ctx)
			t.Logf("%d messages", len(s.seen))
		}
		for _, c := range []*Conn{a, b} {
			_, err := c.Ping(ctx) // behind the aborts of what was given up: they have come now, too
			require.NoError(t, err)
		}
		require.NoError(t, a.Close())
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		a.Wait()
		for _, s := range all {
			require.Equal(t, len(s.seen), s.sent, "messages that came and that were sent")
			for _, late := range s.late {
				close(late)
			}
		}
		taking.Wait()
		requireIdle(t, a, b)
	})
}

// stress is one way of the test. Messages begin with their class, and from 8
// bytes on they say who sent them and how many were before them.
type stress struct {
	t    *testing.T
	late [numClasses]chan int // sizes of the messages to release

	mu     sync.Mutex
	sent   int // the last byte was put into a batch
	seen   map[uint32]bool
	gaveUp []uint32
	last   map[uint32]uint32 // count of the last one-frame message by class and sender
	more   chan struct{}
}

func (s *stress) send(ctx context.Context, l *Lane, cl class, who uint32, rng *rand.Rand, stop time.Time) {
	for count := uint32(1); time.Now().Before(stop); count++ {
		size := []int{8, 100, maxPayload + 2, 1 << 20}[rng.IntN(4)]
		size = 8 + rng.IntN(size-7)
		tag := count<<8 | who<<4 | uint32(cl)
		msg := body(int(tag), size)
		cancel := func() {}
		ctx := ctx
		if rng.IntN(3) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
		}
		batch, err := l.send(ctx, msg, cl == notification, handles.Sending{})
		clear(msg) // it is ours again
		cancel()
		s.mu.Lock()
		if batch != 0 {
			s.sent++
		} else {
			s.gaveUp = append(s.gaveUp, tag)
		}
		s.mu.Unlock()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.t.Errorf("send: %v", err)
			return
		}
		if err := l.Send(ctx, nil, cl == notification); err != errEmpty {
			s.t.Errorf("empty message: %v", err)
		}
	}
}

func (s *stress) deliver(msg []byte, _ bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	tag := uint32(checkBody(s.t, msg))
	if s.seen[tag] {
		s.t.Errorf("message %#x came twice", tag)
	}
	s.seen[tag] = true
	cl, from, count := class(tag&3), tag&0xff, tag>>8
	if len(msg) <= maxPayload || cl == notification {
		if s.last[from] >= count {
			s.t.Errorf("%v message %d of sender %d came behind %d", cl, count, tag>>4&15, s.last[from])
		}
		s.last[from] = count
	}
	if count%2 == 0 {
		return true
	}
	s.late[cl] <- len(msg)
	return false
}

// wait waits until all that was sent has come, and checks that no more has.
func (s *stress) wait(ctx context.Context) {
	for {
		s.mu.Lock()
		n := len(s.seen)
		s.mu.Unlock()
		if n >= s.sent {
			break
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			require.FailNow(s.t, "stuck", "%d of %d messages came", n, s.sent)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range s.gaveUp {
		require.False(s.t, s.seen[tag], "message %#x came, its sender was told that it would not", tag)
	}
}
