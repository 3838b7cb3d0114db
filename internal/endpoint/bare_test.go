package endpoint

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// defaultHandlers is how many calls are handled at once.
const defaultHandlers = 16 << 10

// TestBareCallLimit: beyond it calls are refused at once, and served again below.
func TestBareCallLimit(t *testing.T) {
	g, server := newGate()
	a, b := barePair(nil, &Options{Server: server, MaxWaiting: -1})
	done := make(chan *rpc.Call, defaultHandlers)
	for i := range defaultHandlers {
		a.Go("Gate.Pass", i, nil, done)
	}
	for range defaultHandlers {
		<-g.at
	}
	require.Equal(t, rpc.ServerError("viaduct: call refused: 16384 are running and 0 wait (MaxHandlers and MaxWaiting of the side that takes it)"), a.Call("Gate.Pass", 1, nil))
	close(g.open)
	for range defaultHandlers {
		require.NoError(t, (<-done).Error)
	}
	require.Eventually(t, func() bool { return a.Call("Gate.Pass", 1, nil) == nil }, 10*time.Second, time.Millisecond)
	a.Close()
	require.Zero(t, b.Wait(context.Background()))
}

// TestBareNoteLimit: the reader does not wait for a handler, and what it holds is bounded.
func TestBareNoteLimit(t *testing.T) {
	for _, size := range []int{10, 100_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			g, server := newGate()
			x, y := net.Pipe()
			e := NewEndpoint(x, nil, &Options{Server: server})
			codec := message.Codec{Body: new(body.Codec)}
			note, err := codec.EncodeNotification("Gate.Pass", make([]byte, size), body.NoLimit)
			require.NoError(t, err)
			first, err := codec.EncodeNotification("Gate.Pass", 1, body.NoLimit)
			require.NoError(t, err)
			_, err = y.Write(*first)
			require.NoError(t, err)
			<-g.at
			for err == nil {
				_, err = y.Write(*note)
			}
			each := len(*note) + serve.NotificationCost
			require.InDelta(t, 4<<20, e.Stats().Served.WaitingNotifications*each, float64(each))
			<-e.Done()
			require.ErrorContains(t, e.Err(), "viaduct: protocol error: notifications come faster than they are handled: 4194304 bytes wait")
			close(g.open)
			require.Zero(t, e.Wait(context.Background()))
		})
	}
}

// TestBareRefusalsBound: a peer that sends calls and does not read ends the link;
// the reader does not wait for it.
func TestBareRefusalsBound(t *testing.T) {
	g, server := newGate()
	x, y := net.Pipe()
	e := NewEndpoint(x, nil, &Options{Server: server})
	msg, err := (&message.Codec{Body: new(body.Codec)}).EncodeRequest("Gate.Pass", 1, body.NoLimit)
	require.NoError(t, err)
	batch := []byte(strings.Repeat(string(*msg), 1000))
	for err == nil {
		_, err = y.Write(batch)
	}
	<-e.Done()
	require.ErrorContains(t, e.Err(), "peer sends calls and does not read its replies")
	for range defaultHandlers {
		<-g.at
	}
	require.Empty(t, g.at)
	close(g.open)
	require.Zero(t, e.Wait(context.Background()))
}

// TestBareFairness: a large message gets its turn among many small ones.
func TestBareFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		e := NewEndpoint(x, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		for range 50 {
			go func() {
				for e.Notify(ctx, "A.B", make([]byte, 10<<10)) == nil {
				}
			}()
		}
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- e.Notify(ctx, "A.B", make([]byte, 300<<10)) }()
		synctest.Wait()
		var got int64
		for len(sent) == 0 {
			n, err := io.CopyN(io.Discard, y, 10<<10)
			require.NoError(t, err)
			got += n
			synctest.Wait()
		}
		require.NoError(t, <-sent)
		require.Less(t, got, int64(8*(256<<10)))
		cancel()
		y.Close()
		e.Wait(context.Background())
	})
}

// TestBareClose: it takes no longer than what is queued needs, and nothing is
// accepted any more.
func TestBareClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := barePair(nil, nil)
		begun := time.Now()
		require.NoError(t, a.Close())
		<-b.Done()
		require.Zero(t, time.Since(begun))
		require.Zero(t, a.Wait(context.Background()))
		require.Zero(t, b.Wait(context.Background()))

		x, y := net.Pipe()
		e := NewEndpoint(x, nil, nil)
		notified := make(chan error, 1)
		go func() { notified <- e.Notify(t.Context(), "A.B", 1) }() // nobody reads it
		synctest.Wait()
		require.Empty(t, notified, "it is not with the system")
		go e.Close()
		synctest.Wait()
		_, err := e.out.Send(t.Context(), []byte{1}, false, link.Sending{})
		require.Equal(t, rpc.ErrShutdown, err)
		require.Zero(t, e.Wait(context.Background()))
		require.Equal(t, link.FlushTime, time.Since(begun))
		require.ErrorIs(t, <-notified, rpc.ErrShutdown)
		y.Close()
	})
}
