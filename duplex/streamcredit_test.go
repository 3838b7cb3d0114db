package duplex

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// requireAgreed checks that both ends count alike what x may send to y.
// All goroutines of the bubble wait.
func requireAgreed(t testing.TB, x, y *Stream) {
	t.Helper()
	x.out.w.mu.Lock()
	credit := x.out.credit
	x.out.w.mu.Unlock()
	y.in.mu.Lock()
	defer y.in.mu.Unlock()
	require.Equal(t, credit, y.in.credit)
	require.Equal(t, y.in.window, y.in.credit+int64(y.in.chunks.size)+y.in.unpaid)
}

// TestStreamUnread: a stream that nobody reads takes its window and stops
// neither calls nor other streams.
func TestStreamUnread(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		write := writing(x, 1<<20)
		requireBlocked(t, write)
		require.Equal(t, firstWindow, y.in.chunks.size)
		requireAgreed(t, x, y)

		in := receive(b.ServerLane(), false)
		for i := range 10 {
			require.NoError(t, a.ClientLane().Send(t.Context(), body(i, 200_000), false))
		}
		synctest.Wait()
		require.Len(t, in.take(), 10)
		x2, y2 := streamPair(t, b, a)
		echo := doing(func() (int, error) {
			n, err := io.Copy(y2, y2)
			y2.CloseWrite()
			return int(n), err
		})
		back := doing(func() (int, error) {
			got, err := io.ReadAll(x2)
			checkBody(t, got)
			return len(got), err
		})
		n, err := x2.Write(body(1, 5<<20))
		require.NoError(t, err)
		require.Equal(t, 5<<20, n)
		require.NoError(t, x2.CloseWrite())
		require.Equal(t, result{5 << 20, nil}, requireNow(t, echo))
		require.Equal(t, result{5 << 20, nil}, requireNow(t, back))

		require.Equal(t, firstWindow, y.in.chunks.size)
		requireBlocked(t, write)
		require.NoError(t, y.Close())
		r := requireNow(t, write)
		require.Equal(t, firstWindow, r.n)
		requireOpErr(t, r.err, "write", ErrStopped)
		closeStreams(t, a, b, x, x2, y2)
	})
}

// TestStreamWindowGrows: it doubles while both sides keep up, to what the options say, and not for
// a slow writer.
func TestStreamWindowGrows(t *testing.T) {
	for _, limit := range []int{1, 1000, firstWindow, firstWindow + 1, 300_000, 1 << 20} {
		bothEnds(t, &Options{StreamWindow: limit}, func(t *testing.T, a, b *Conn, x, y *Stream) {
			first := min(firstWindow, limit)
			write := writing(x, 8<<20)
			requireBlocked(t, write)
			require.Equal(t, first, y.in.chunks.size)
			most := 0
			buf := make([]byte, 4<<20)
			var got []byte
			for len(got) < 100*limit && len(got) < 4<<20 {
				n, err := y.Read(buf[:max(limit/2, 1)])
				require.NoError(t, err)
				got = append(got, buf[:n]...)
				synctest.Wait()
				require.LessOrEqual(t, y.in.chunks.size, limit)
				requireAgreed(t, x, y)
				most = max(most, y.in.chunks.size)
			}
			require.Equal(t, int64(limit), y.in.window)
			require.GreaterOrEqual(t, most, limit/2)
			require.True(t, bytes.Equal(body(8<<20, 8<<20)[:len(got)], got))
			requireBlocked(t, write)
			closeStreams(t, a, b, x, y)
		})
	}
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		for range 1000 {
			_, err := x.Write(make([]byte, 1000))
			require.NoError(t, err)
			_, err = io.ReadFull(y, make([]byte, 1000))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Equal(t, int64(firstWindow), y.in.window)
	})
}

// TestStreamMemory: what nobody reads takes about twice its size, however small the pieces, and
// nothing when it was read.
func TestStreamMemory(t *testing.T) {
	for _, piece := range []int{1, 7, 511, 513, 5000, maxPayload/2 - 1, maxPayload / 2, maxPayload/2 + 1, maxPayload} {
		bothEnds(t, &Options{Window: 1 << 20}, func(t *testing.T, a, b *Conn, x, y *Stream) {
			memory := func() (total int) {
				y.in.mu.Lock()
				defer y.in.mu.Unlock()
				for _, c := range y.in.chunks.list {
					total += cap(c)
				}
				return total
			}
			sent := 0
			for sent+piece <= firstWindow {
				_, err := x.Write(body(1, piece))
				require.NoError(t, err)
				sent += piece
				if sent%100 == 0 || piece > 500 {
					synctest.Wait()
					require.LessOrEqual(t, memory(), 2*sent+2*smallChunk, "for %d bytes", sent)
				}
			}
			synctest.Wait()
			require.Equal(t, sent, y.in.chunks.size)
			_, err := io.ReadFull(y, make([]byte, sent))
			require.NoError(t, err)
			require.Zero(t, memory())
			require.Nil(t, y.in.chunks.list)

			_, err = x.Write(body(1, 1000))
			require.NoError(t, err)
			synctest.Wait()
			require.NotZero(t, memory())
			require.NoError(t, y.Close())
			require.Zero(t, memory())
			closeStreams(t, a, b, x)
			require.Zero(t, memory())
		})
	}
}

// TestStreamPieces: all bytes arrive in order, whatever the sizes of writes and reads, with a
// window of any size.
func TestStreamPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, window := range []int{1, 2, 3, 100, 40_000, 100_000, 1 << 20} {
		bothEnds(t, &Options{StreamWindow: window}, func(t *testing.T, a, b *Conn, x, y *Stream) {
			total := 3000 * min(window, 1000)
			data := body(1, total)
			go func() {
				for rest := data; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(1<<rng.IntN(18)))
					m, err := x.Write(rest[:n])
					if m != n || err != nil {
						t.Errorf("wrote %d of %d: %v", m, n, err)
					}
					rest = rest[n:]
				}
				x.CloseWrite()
			}()
			own := rand.New(rand.NewPCG(3, uint64(window)))
			var got bytes.Buffer
			for {
				buf := make([]byte, 1+own.IntN(1<<own.IntN(18)))
				n, err := y.Read(buf)
				got.Write(buf[:n])
				clear(buf)
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				require.NotZero(t, n)
			}
			require.True(t, bytes.Equal(data, got.Bytes()), "%d of %d bytes", got.Len(), total)
			closeStreams(t, a, b, x, y)
		})
	}
}

// TestStreamIsAReader: what package testing asks of an io.Reader.
func TestStreamIsAReader(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		_, err := x.Write(body(1, 50_000))
		require.NoError(t, err)
		require.NoError(t, x.CloseWrite())
		synctest.Wait()
		require.NoError(t, iotest.TestReader(y, body(1, 50_000)))
	})
}

// TestStreamZeroLength: empty reads and writes return at once and move nothing.
func TestStreamZeroLength(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		none := result{}
		require.Equal(t, none, requireNow(t, reading(x, 0)))
		require.Equal(t, none, requireNow(t, writing(x, 0)))
		r := requireNow(t, doing(func() (int, error) { return x.Write(nil) }))
		require.Equal(t, none, r)
		requireBlocked(t, reading(y, 10))
		_, err := x.Write(make([]byte, firstWindow+10)[:firstWindow]) // all credit
		require.NoError(t, err)
		require.Equal(t, none, requireNow(t, writing(x, 0)))
		synctest.Wait()
		require.Equal(t, none, requireNow(t, reading(y, 0)))
		require.NoError(t, x.CloseWrite())
		requireOpErr(t, requireNow(t, writing(x, 0)).err, "write", net.ErrClosed)
		closeStreams(t, a, b, x, y)
	})
}

// TestStreamsTakeTurns: a long write holds up neither another stream nor a message by more than a
// few frames.
func TestStreamsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := tapped(t, nil)
		in := receive(b.ServerLane(), false)
		var ys []*Stream
		var xs []*Stream
		for range 3 {
			x, y := streamPair(t, a, b)
			xs, ys = append(xs, x), append(ys, y)
		}
		s.trace.take()
		s.stopAt(kindData, 1) // of the first write
		for _, x := range xs {
			go x.Write(body(1, firstWindow))
			synctest.Wait()
		}
		require.NoError(t, a.ClientLane().Send(t.Context(), body(1, 100), false))
		close(s.resume)
		synctest.Wait()
		require.Len(t, in.take(), 1)
		var order []uint32
		for i, h := range s.trace.take() {
			if h.kind == kindData {
				order = append(order, h.id)
			} else if h.kind == kindWhole {
				require.LessOrEqual(t, i, 3)
			}
		}
		require.Contains(t, order[:4], xs[1].key.id)
		require.Contains(t, order[:5], xs[2].key.id)
		for i := range ys {
			require.Equal(t, firstWindow, ys[i].in.chunks.size)
			closeAll(t, xs[i], ys[i])
		}
		closeStreams(t, a, b)
	})
}
