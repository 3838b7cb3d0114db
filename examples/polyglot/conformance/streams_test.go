package conformance_test

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Streams that this side opens, each with 3 MiB there and back, and an end of either half.
func TestModulesStreams(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		done := make(chan struct{}, 4)
		for i := range cap(done) {
			go func() {
				defer func() { done <- struct{}{} }()
				data := noise()[i : i+3<<20]
				conn, err := c.Open(t.Context())
				if !assert.NoError(t, err) {
					return
				}
				go func() {
					_, err := conn.Write(data)
					assert.NoError(t, err)
					assert.NoError(t, conn.(*duplex.Stream).CloseWrite())
				}()
				back, err := io.ReadAll(conn)
				assert.NoError(t, err)
				assert.True(t, bytes.Equal(data, back))
				assert.NoError(t, conn.Close())
			}()
		}
		for range cap(done) {
			<-done
		}
	})
}

// Streams that the child opens.
func TestModulesOpen(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		go func() {
			for {
				conn, err := c.Accept()
				if err != nil {
					return
				}
				go func() {
					io.Copy(conn, conn)
					conn.Close()
				}()
			}
		}()
		for _, n := range []int{0, 1, 100, 3<<20 + 7} {
			var sum uint32
			require.NoError(t, c.Call("T.Open", n, &sum))
			require.Equal(t, crc32.ChecksumIEEE(pattern(n)), sum, n)
		}
	})
}

// Streams that are offered, and how each can end.
func TestModulesOffered(t *testing.T) {
	for how, want := range map[string]struct {
		n   int
		err error // of reading, nil for the end
	}{
		"empty": {0, nil},
		"end":   {1 << 20, nil},
		"reset": {-1, duplex.ErrReset}, // what was not read by then is dropped
	} {
		eachLanguage(t, func(t *testing.T, name string) {
			c := startTester(t, name, rpcpipe.Options{}, "")
			conn := c.offered(t, how)
			defer conn.Close()
			data, err := io.ReadAll(conn)
			require.ErrorIs(t, err, want.err, how)
			if want.n >= 0 {
				require.True(t, bytes.Equal(pattern(want.n), data), how)
			}
		})
	}
}

// offered opens what the child offers.
func (c *tester) offered(t *testing.T, how string) *duplex.Stream {
	t.Helper()
	var name rpcpipe.StreamName
	require.NoError(t, c.Call("T.Offer", how, &name))
	conn, err := c.OpenOffer(t.Context(), name)
	require.NoError(t, err)
	return conn.(*duplex.Stream)
}

// A stream that is closed within a write reads as cut: all that was sent, and then no end.
func TestModulesCutStream(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		conn := c.offered(t, "cut")
		defer conn.Close()
		begin := make([]byte, 50_000)
		_, err := io.ReadFull(conn, begin)
		require.NoError(t, err)
		require.NoError(t, c.Call("T.Cut", nil, nil))
		rest, err := io.ReadAll(conn)
		require.ErrorIs(t, err, duplex.ErrReset)
		require.Less(t, len(rest), 10<<20-50_000)
		require.True(t, bytes.HasPrefix(pattern(10<<20), append(begin, rest...)))
	})
}

// A child that ends, or closes the link, does not seem to have ended its streams.
func TestModulesLostStream(t *testing.T) {
	for _, how := range []string{"die", "leave"} {
		eachLanguage(t, func(t *testing.T, name string) {
			c := startTester(t, name, rpcpipe.Options{}, "")
			conn := c.offered(t, how)
			defer conn.Close()
			data, err := io.ReadAll(conn)
			require.Error(t, err, how)
			require.True(t, bytes.Equal(pattern(100_000), data), "what was written has returned")
			c.Wait()
		})
	}
}

// How the child sees the ends of ours.
func TestModulesReading(t *testing.T) {
	for how, want := range map[string]string{"end": "", "reset": "read: StreamError\n", "close": "read: Down\n"} {
		eachLanguage(t, func(t *testing.T, name string) {
			c := startTester(t, name, rpcpipe.Options{}, want)
			offer, conn := c.Offer()
			stream := conn.(*duplex.Stream)
			var reply []any
			call := c.Go("T.Read", offer, &reply, nil)
			c.hears(t, "opened")
			_, err := stream.Write(pattern(200_000))
			require.NoError(t, err)
			switch how {
			case "end":
				require.NoError(t, stream.CloseWrite())
				require.NoError(t, (<-call.Done).Error)
				require.Equal(t, []any{200_000, "end"}, reply)
			case "reset":
				stream.Reset()
				require.NoError(t, (<-call.Done).Error)
				require.Equal(t, "StreamError", reply[1])
			case "close":
				c.Close()
				require.Error(t, (<-call.Done).Error)
				require.NoError(t, c.Wait())
			}
		})
	}
}

// The child writes until this side reads no more.
func TestModulesWriting(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		for _, reset := range []bool{false, true} {
			offer, conn := c.Offer()
			var reply []any
			call := c.Go("T.Write", offer, &reply, nil)
			_, err := io.ReadFull(conn, make([]byte, 500_000))
			require.NoError(t, err)
			if reset {
				conn.(*duplex.Stream).Reset()
			} else {
				conn.Close()
			}
			require.NoError(t, (<-call.Done).Error)
			require.Equal(t, "StreamError", reply[1])
		}
	})
}

// Offers that are not there, and streams that nobody accepts.
func TestModulesRefused(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		var name rpcpipe.StreamName
		require.NoError(t, c.Call("T.TakeBack", nil, &name))
		_, err := c.OpenOffer(t.Context(), name)
		require.ErrorIs(t, err, duplex.ErrRefused)

		offer, conn := c.Offer()
		require.NoError(t, conn.Close())
		var p Problem
		require.NoError(t, c.Call("T.Refused", offer, &p))
		require.Equal(t, "StreamError", p.Kind)
		require.NoError(t, c.Call("T.Unanswered", nil, &p))
		require.Equal(t, "DeadlineExceeded", p.Kind)

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err = c.Open(ctx) // others are still accepted
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now()))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, conn.Close())
	})
}
