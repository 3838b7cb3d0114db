package viaduct

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
)

// TestBareCallLimit: beyond it calls are refused at once, and served again below.
func TestBareCallLimit(t *testing.T) {
	g, server := newGate()
	a, b := barePair(nil, &Options{Server: server, MaxWaiting: -1})
	done := make(chan *rpc.Call, defaultMaxHandlers)
	for i := range defaultMaxHandlers {
		a.Go("Gate.Pass", i, nil, done)
	}
	for range defaultMaxHandlers {
		<-g.at
	}
	require.Equal(t, rpc.ServerError("viaduct: call refused: 16384 are running and 0 wait (MaxHandlers and MaxWaiting of the side that takes it)"), a.Call("Gate.Pass", 1, nil))
	close(g.open)
	for range defaultMaxHandlers {
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
			note := appendNotification(nil, "Gate.Pass")
			note, err := (*Options)(nil).appendParams(note, make([]byte, size))
			require.NoError(t, err)
			first, err := (*Options)(nil).appendParams(appendNotification(nil, "Gate.Pass"), 1)
			require.NoError(t, err)
			_, err = y.Write(first)
			require.NoError(t, err)
			<-g.at
			for err == nil {
				_, err = y.Write(note)
			}
			e.dispatcher.mu.Lock()
			require.InDelta(t, bareNotes, len(e.dispatcher.notes)*(len(note)+noteCost), float64(len(note)+noteCost))
			e.dispatcher.mu.Unlock()
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
	msg, err := (*Options)(nil).encodeRequest("Gate.Pass", 1)
	require.NoError(t, err)
	batch := []byte(strings.Repeat(string(*msg), 1000))
	for err == nil {
		_, err = y.Write(batch)
	}
	<-e.Done()
	require.ErrorContains(t, e.Err(), "peer sends calls and does not read its replies")
	for range defaultMaxHandlers {
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
		require.Less(t, got, int64(8*bareQueue))
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
		require.NoError(t, e.Notify(t.Context(), "A.B", 1)) // nobody reads it
		go e.Close()
		synctest.Wait()
		require.Equal(t, rpc.ErrShutdown, e.out.Send(t.Context(), []byte{1}, false))
		require.Zero(t, e.Wait(context.Background()))
		require.Equal(t, flushTime, time.Since(begun))
		y.Close()
	})
}
