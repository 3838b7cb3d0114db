package duplex

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestConcurrentWrites: each Write's bytes stay together, and none is lost.
func TestConcurrentWrites(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		x, y := streamPair(t, a, b)
		const writers, rounds = 8, 30
		var running sync.WaitGroup
		for i := range writers {
			running.Go(func() {
				for j := range rounds {
					n, err := x.Write(body(i*rounds+j, 8+(i*rounds+j)*97))
					if err != nil || n != 8+(i*rounds+j)*97 {
						t.Errorf("wrote %d: %v", n, err)
					}
				}
			})
		}
		go func() {
			running.Wait()
			x.CloseWrite()
		}()
		last := [writers]int{}
		for range writers * rounds {
			head := make([]byte, 8)
			_, err := io.ReadFull(y, head)
			require.NoError(t, err)
			msg := make([]byte, binary.LittleEndian.Uint32(head[4:]))
			copy(msg, head)
			_, err = io.ReadFull(y, msg[8:])
			require.NoError(t, err)
			seed := checkBody(t, msg)
			require.Equal(t, last[seed/rounds], seed%rounds, "of writer %d", seed/rounds)
			last[seed/rounds]++
		}
		require.Equal(t, result{0, io.EOF}, <-reading(y, 1))
	})
}

// TestConcurrentReads: each byte goes to one Read.
func TestConcurrentReads(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		x, y := streamPair(t, a, b)
		const total = 1 << 20
		var mu sync.Mutex
		var counts [256]int
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				buf := make([]byte, 10_000)
				for {
					n, err := y.Read(buf)
					mu.Lock()
					for _, c := range buf[:n] {
						counts[c]++
					}
					mu.Unlock()
					clear(buf) // nobody else writes here any more
					if err == io.EOF {
						return
					}
					if err != nil || n == 0 {
						t.Errorf("read %d: %v", n, err)
						return
					}
				}
			})
		}
		data := body(1, total)
		_, err := x.Write(data)
		require.NoError(t, err)
		require.NoError(t, x.CloseWrite())
		readers.Wait()
		for _, c := range data {
			counts[c]--
		}
		require.Equal(t, [256]int{}, counts)
	})
}

// TestEverythingAtOnce: all methods from many goroutines, and then nothing is left.
func TestEverythingAtOnce(t *testing.T) {
	methods := map[string]func(s *Stream){
		"read":        func(s *Stream) { s.Read(make([]byte, 100)) },
		"read more":   func(s *Stream) { s.Read(make([]byte, 100_000)) },
		"write":       func(s *Stream) { s.Write(body(1, 100)) },
		"write more":  func(s *Stream) { s.Write(body(1, 100_000)) },
		"end":         func(s *Stream) { s.CloseWrite() },
		"deadline":    func(s *Stream) { s.SetDeadline(time.Now().Add(time.Microsecond)) },
		"no deadline": func(s *Stream) { s.SetReadDeadline(time.Time{}); s.SetWriteDeadline(time.Time{}) },
		"past":        func(s *Stream) { s.SetDeadline(longAgo) },
		"addresses":   func(s *Stream) { _ = s.LocalAddr().String() + s.RemoteAddr().String() },
	}
	ends := []func(*Stream) error{(*Stream).Close, (*Stream).Reset}
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{StreamWindow: 5000})
		for i := range 100 {
			x, y := streamPair(t, a, b)
			if i%3 == 0 {
				name, offered := b.Offer()
				o := requireNow(t, openingOffer(t.Context(), a, name))
				require.NoError(t, o.err)
				closeAll(t, x, y)
				x, y = o.conn.(*Stream), offered.(*Stream)
			}
			for _, s := range []*Stream{x, y} {
				for name, f := range methods {
					go func() {
						for range 1 + len(name)%3 {
							f(s)
						}
					}()
				}
			}
			for range i % 50 {
				runtime.Gosched()
			}
			go ends[i%2](x)
			go ends[i/2%2](y)
			go x.Close()
			synctest.Wait()
			closeStreams(t, a, b, x, y)
		}
	})
}

// TestReadGivesItsBufferBack: once Read has returned, for whatever reason, nothing is written to
// its buffer any more. The race detector sees it.
func TestReadGivesItsBufferBack(t *testing.T) {
	for name, stop := range map[string]func(s *Stream){
		"close":    func(s *Stream) { s.Close() },
		"reset":    func(s *Stream) { s.Reset() },
		"deadline": func(s *Stream) { s.SetReadDeadline(longAgo) },
	} {
		t.Run(name, func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				for i := range 200 {
					x, y := streamPair(t, a, b)
					go func() {
						for range 100 {
							if _, err := x.Write(bytes.Repeat([]byte{1}, 1000)); err != nil {
								return
							}
						}
					}()
					read := make(chan struct{})
					go func() {
						defer close(read)
						for {
							buf := make([]byte, 100_000)
							_, err := y.Read(buf)
							clear(buf)
							if err != nil {
								return
							}
						}
					}()
					for range i {
						runtime.Gosched()
					}
					stop(y)
					<-read
					closeAll(t, x, y)
				}
			})
		})
	}
}

// TestReadGivesItsBufferBackInAClose: the same where a Close is held up half done and data wakes
// the Read.
func TestReadGivesItsBufferBackInAClose(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		buf := make([]byte, 10)
		read := doing(func() (int, error) { return y.Read(buf) })
		requireBlocked(t, read)
		require.True(t, y.streams.closeOnce(y)) // how Close begins
		for range 2 {
			_, err := x.Write([]byte("data"))
			require.NoError(t, err)
			synctest.Wait()
		}
		r := requireNow(t, read)
		requireOpErr(t, r.err, "read", net.ErrClosed)
		clear(buf)
		_, err := x.Write([]byte("more"))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, make([]byte, 10), buf)
		closeAll(t, x)
		y.streams.closeOut(y) // how it goes on
		y.streams.endIn(y)
		closeStreams(t, a, b)
	})
}

// TestWriteGivesItsBufferBack: once Write has returned, for whatever reason, its bytes are not read
// any more.
func TestWriteGivesItsBufferBack(t *testing.T) {
	for name, stop := range map[string]func(x, y *Stream){
		"close":    func(x, _ *Stream) { x.Close() },
		"reset":    func(x, _ *Stream) { x.Reset() },
		"end":      func(x, _ *Stream) { x.CloseWrite() },
		"stopped":  func(_, y *Stream) { y.Close() },
		"is reset": func(_, y *Stream) { y.Reset() },
		"deadline": func(x, _ *Stream) { x.SetWriteDeadline(longAgo) },
	} {
		t.Run(name, func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				for i := range 100 {
					x, y := streamPair(t, a, b)
					written := make(chan struct{})
					go func() {
						defer close(written)
						for {
							buf := body(1, 100_000)
							n, err := x.Write(buf)
							clear(buf)
							if err != nil {
								return
							}
							if n != len(buf) {
								t.Errorf("%d of %d without an error", n, len(buf))
							}
						}
					}()
					read := doing(func() (int, error) { n, err := io.Copy(io.Discard, y); return int(n), err })
					for range i {
						runtime.Gosched()
					}
					stop(x, y)
					<-written
					closeAll(t, x, y)
					<-read
				}
			})
		})
	}
}

// TestManyStreams: many at once, opened from both sides, each echoed.
func TestManyStreams(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		var running sync.WaitGroup
		for _, c := range []*Conn{a, b} {
			l := c.Listener()
			running.Go(func() {
				for {
					s, err := l.Accept()
					if err != nil {
						return
					}
					running.Go(func() {
						io.Copy(s, s)
						s.Close()
					})
				}
			})
		}
		var opens sync.WaitGroup
		for i := range 100 {
			c := []*Conn{a, b}[i%2]
			opens.Go(func() {
				for j := range 3 {
					s, err := c.Open(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					want := body(i, 100+i*j*500)
					go func() {
						s.Write(want)
						s.(*Stream).CloseWrite()
					}()
					got, err := io.ReadAll(s)
					if err != nil || !bytes.Equal(want, got) {
						t.Errorf("%d of %d bytes: %v", len(got), len(want), err)
					}
					s.Close()
				}
			})
		}
		opens.Wait()
		require.NoError(t, a.Close())
		running.Wait()
		_, err := b.Accept()
		require.ErrorIs(t, err, ErrPeerClosed)
		_, err = a.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
}
