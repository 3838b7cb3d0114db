package duplex

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCloseDelivers: what was accepted arrives, and then the other side ends in order.
func TestCloseDelivers(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		in := receive(b.ServerLane(), false)
		const n = 100
		for i := range n {
			require.NoError(t, a.ClientLane().Send(t.Context(), body(i, 1000*i%70_001+8), i%3 == 0))
		}
		require.NoError(t, a.Close())
		require.ErrorIs(t, a.Wait(), ErrClosed)
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		msgs := in.wait(t, n)
		for _, msg := range msgs {
			checkBody(t, msg)
		}
		require.Len(t, msgs, n)
		require.Equal(t, 1, in.ends)
		require.ErrorIs(t, in.end, ErrPeerClosed)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
		require.ErrorIs(t, b.Err(), ErrPeerClosed)
		require.ErrorIs(t, b.ClientLane().WriteMessage([]byte("x")), ErrPeerClosed)
		require.ErrorIs(t, a.ClientLane().WriteMessage([]byte("x")), ErrClosed)
		_, err := b.ClientLane().ReadMessage()
		require.Equal(t, io.EOF, err)
		_, err = a.ClientLane().ReadMessage()
		require.ErrorIs(t, err, fs.ErrClosed)
	})
}

// TestLaneCutOff: an end of the connection that nobody has announced is no end in order to those who
// read a lane, as messages or as bytes.
func TestLaneCutOff(t *testing.T) {
	for name, end := range map[string]func(a *Conn, x net.Conn){
		"closed": func(_ *Conn, x net.Conn) { x.Close() },
		"failed": func(a *Conn, _ net.Conn) { a.ClientLane().Fail(errors.New("no sense")) },
	} {
		t.Run(name, func(t *testing.T) {
			x, y := net.Pipe()
			a, b := pairOver(t, x, y, nil)
			require.NoError(t, a.ClientLane().WriteMessage([]byte("part")))
			part := make([]byte, 4)
			_, err := io.ReadFull(b.ServerLane(), part)
			require.NoError(t, err)
			end(a, x)
			_, err = b.ServerLane().Read(part)
			require.Equal(t, io.ErrUnexpectedEOF, err)
			_, err = b.ServerLane().ReadMessage()
			require.Equal(t, io.ErrUnexpectedEOF, err)
		})
	}
}

// waitingEverywhere makes senders wait for credit, for a grant, for room and in the kernel.
func waitingEverywhere(t *testing.T, a *Conn) (sent []<-chan error) {
	for i := range 60 {
		w := ways[i%3]
		sent = append(sent, sending(t.Context(), w.out(a), body(i, []int{100, 32 << 10, 100_000}[i/3%3]), w.isNotification))
	}
	return sent
}

// TestCloseAnyState closes from many goroutines at once, with senders waiting everywhere.
func TestCloseAnyState(t *testing.T) {
	silent := func(t *testing.T, p *rawPeer) {}
	for _, tt := range []struct {
		name  string
		peer  func(t *testing.T, p *rawPeer)
		reads bool
	}{
		{"no credit", silent, true},
		{"no credit, never reads", silent, false},
		{"credit, no grants", giveCredit, true},
		{"credit, never reads", giveCredit, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p *rawPeer
				if tt.reads {
					p = newRawPeer(t, nil)
				} else {
					x, raw := net.Pipe()
					p = &rawPeer{Conn: New(x, nil), raw: raw}
					defer raw.Close()
				}
				tt.peer(t, p)
				sent := waitingEverywhere(t, p.Conn)
				synctest.Wait()
				start := time.Now()
				var closing sync.WaitGroup
				for range 5 {
					closing.Go(func() { p.Close() })
				}
				closing.Wait()
				limit := time.Duration(0)
				if !tt.reads {
					limit = flushTime
				}
				require.Equal(t, limit, time.Since(start))
				for _, c := range sent {
					if err := <-c; err != nil {
						require.ErrorIs(t, err, ErrClosed)
					}
				}
				require.ErrorIs(t, p.Wait(), ErrClosed)
			})
		})
	}
}

func giveCredit(t *testing.T, p *rawPeer) {
	_, err := p.raw.Write(wire("20 00 00 00 00 00 04 00", "21 00 00 00 00 00 04 00", "22 00 00 00 00 00 04 00"))
	require.NoError(t, err)
}

// TestCloseBlockedInKernel: nobody reads the pipe and the writer is in write(2).
func TestCloseBlockedInKernel(t *testing.T) {
	for _, now := range []bool{false, true} {
		before := runtime.NumGoroutine()
		x, y := osPipes(t)
		var conn io.ReadWriteCloser = x
		if !now {
			conn = plain{x}
		}
		c := New(conn, nil)
		_, err := y.Write(wire("20 00 00 00 00 00 10 00", "21 00 00 00 00 00 10 00", "22 00 00 00 00 00 10 00"))
		require.NoError(t, err)
		sent := waitingEverywhere(t, c)
		filled(t, y)
		require.NoError(t, c.Close())
		for _, s := range sent {
			if err := <-s; err != nil {
				require.ErrorIs(t, err, ErrClosed)
			}
		}
		require.ErrorIs(t, c.Wait(), ErrClosed)
		y.Close()
		goroutines(t, before)
	}
}

// filled waits until the pipe that y reads has more in it than one write.
func filled(t *testing.T, y *files) {
	_, err := io.ReadFull(y, make([]byte, 64<<10))
	require.NoError(t, err)
}

// goroutines waits until there are no more than n.
func goroutines(t *testing.T, n int) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > n {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<20)
			require.FailNow(t, "goroutines left", "%s", buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// TestPeerVanishes: all senders are released with the link's error.
func TestPeerVanishes(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		receive(b.ServerLane(), true) // takes nothing
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var sent []<-chan error
		for i := range 40 {
			w := ways[i%3]
			sent = append(sent, sending(ctx, w.out(a), body(i, 200_000), w.isNotification))
		}
		b.conn.Close() // as the kernel does when a process dies
		failed := 0
		for _, c := range sent {
			if err := <-c; err != nil {
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, a.Err(), err)
				failed++
			}
		}
		require.NotZero(t, failed)
		err := a.Wait()
		require.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE), "%v", err)
	})
}

// halves is a connection whose writes can be made to fail.
type halves struct {
	io.ReadWriteCloser
	broken chan struct{}
}

func (h *halves) Write(p []byte) (int, error) {
	if isClosed(h.broken) {
		return 0, syscall.EPIPE
	}
	return h.ReadWriteCloser.Write(p)
}

// TestWriteError: what the other side said before still counts.
func TestWriteError(t *testing.T) {
	for _, bye := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x, raw := net.Pipe()
			go io.Copy(io.Discard, raw)
			h := &halves{x, make(chan struct{})}
			c := New(h, nil)
			replies := receive(c.ClientLane(), false)
			_, err := raw.Write(wire("20 00 00 00 00 00 10 00"))
			require.NoError(t, err)
			synctest.Wait()
			close(h.broken)
			start := time.Now()
			require.NoError(t, c.ClientLane().WriteMessage([]byte("lost")))
			synctest.Wait()
			waiting := sending(t.Context(), c.ClientLane(), []byte("waits"), false)
			_, err = raw.Write(wire("11 00 02 00 00 00 00 00 68 69"))
			require.NoError(t, err)
			if bye {
				_, err = raw.Write(wire("32 00 00 00 00 00 00 00"))
				require.NoError(t, err)
			}
			want := error(syscall.EPIPE)
			if bye {
				want = ErrPeerClosed
			}
			require.ErrorIs(t, c.Wait(), want)
			require.Equal(t, drainTime+drainTime/drainLooks, time.Since(start), "something was read before the first look")
			require.ErrorIs(t, <-waiting, want)
			require.Equal(t, [][]byte{[]byte("hi")}, replies.take())
			require.ErrorIs(t, c.ClientLane().WriteMessage([]byte("x")), want)
			raw.Close()
		})
	}
}

// TestWriteErrorSlowly: what the other side said before counts also where it takes long to be read. One
// that never stops sending has its time, though.
func TestWriteErrorSlowly(t *testing.T) {
	const between = drainTime * 3 / 4 // frames come as on a machine that is busy
	for _, tt := range []struct {
		frames, come int
		took         time.Duration
		want         error
	}{
		{5, 5, 5 * between, ErrPeerClosed},
		{1000, int(drainMost / between), drainMost, syscall.EPIPE},
	} {
		synctest.Test(t, func(t *testing.T) {
			x, raw := net.Pipe()
			go io.Copy(io.Discard, raw)
			h := &halves{x, make(chan struct{})}
			c := New(h, nil)
			replies := receive(c.ClientLane(), false)
			_, err := raw.Write(wire("20 00 00 00 00 00 10 00"))
			require.NoError(t, err)
			synctest.Wait()
			close(h.broken)
			start := time.Now()
			require.NoError(t, c.ClientLane().WriteMessage([]byte("lost")))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range tt.frames {
					time.Sleep(between)
					if _, err := raw.Write(wire("11 00 02 00 00 00 00 00 68 69")); err != nil {
						break // the link has ended
					}
				}
				_, _ = raw.Write(wire("32 00 00 00 00 00 00 00"))
				raw.Close()
			}()
			require.ErrorIs(t, c.Wait(), tt.want)
			require.Equal(t, tt.took, time.Since(start))
			require.Len(t, replies.take(), tt.come)
			<-sent
		})
	}
}

// TestPeerStaysOpen: the other side says bye and does not close.
func TestPeerStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		start := time.Now()
		_, err := p.raw.Write(wire("32 00 00 00 00 00 00 00"))
		require.NoError(t, err)
		require.ErrorIs(t, p.Wait(), ErrPeerClosed)
		require.Equal(t, byeTime, time.Since(start))
	})
}

// TestCloseInReceiver: the receiver's functions may end the link.
func TestCloseInReceiver(t *testing.T) {
	for _, early := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, nil)
			var log strings.Builder
			take := func(l *Lane) {
				l.Receive(func(msg []byte, _ bool) bool {
					log.WriteString(string(msg) + " ")
					b.Close()
					return true
				}, ignore, func(err error) {
					b.Close()
					log.WriteString("ended")
				})
			}
			if !early {
				take(b.ServerLane())
			}
			require.NoError(t, a.ClientLane().Send(t.Context(), []byte("first"), false))
			synctest.Wait()
			if early {
				take(b.ServerLane())
			}
			require.Error(t, b.Wait())
			synctest.Wait()
			require.Equal(t, "first ended", log.String())
		})
	}
}

// TestReceiveAfterEnd: messages first, the end behind them, once.
func TestReceiveAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		for i := range 3 {
			require.NoError(t, a.ClientLane().Send(t.Context(), body(i, 10), false))
		}
		require.NoError(t, a.Close())
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		in := receive(b.ServerLane(), false)
		require.Len(t, in.take(), 3)
		require.Equal(t, 1, in.ends)
		require.ErrorIs(t, in.end, ErrPeerClosed)
		requireIdle(t, b)
	})
}

// TestEndBehindLast: Close by another goroutine while a message is being
// delivered does not put the end before it.
func TestEndBehindLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		inside, goOn := make(chan struct{}), make(chan struct{})
		running, ends := false, 0
		b.ServerLane().Receive(func([]byte, bool) bool {
			running = true
			close(inside)
			<-goOn
			running = false
			return true
		}, ignore, func(error) {
			require.False(t, running)
			ends++
		})
		require.NoError(t, a.ClientLane().Send(t.Context(), []byte("x"), false))
		<-inside
		require.NoError(t, b.Close())
		close(goOn)
		b.Wait()
		b.deliver(call, []byte("late")) // the reader had it already
		require.Equal(t, 1, ends)
	})
}

// TestNoEmptyWrite: an empty write is the end of the stream to some pipes.
func TestNoEmptyWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		w := &p.writer
		w.mu.Lock()
		defer w.mu.Unlock()
		w.owed.credit = true // said by one who was overtaken: all of it has been granted
		require.Nil(t, w.next(nil))
	})
}
