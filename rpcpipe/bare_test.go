package rpcpipe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// barePair returns two peers on a bare connection in memory.
func barePair(t *testing.T, a, b *rpcpipe.Options) (*rpcpipe.Peer, *rpcpipe.Peer) {
	x, y := net.Pipe()
	p, q := rpcpipe.NewBare(x, a), rpcpipe.NewBare(y, b)
	t.Cleanup(func() {
		p.Close()
		q.Close()
		p.Wait()
		q.Wait()
	})
	return p, q
}

// TestBareCalls: all ways to call, in both directions.
func TestBareCalls(t *testing.T) {
	here, there := newService(), newService()
	a, b := barePair(t, &rpcpipe.Options{Server: here.server}, &rpcpipe.Options{Server: there.server})
	here.use(a)
	there.use(b)
	for _, p := range []*rpcpipe.Peer{a, b} {
		var sum int
		require.NoError(t, p.Call("Service.Add", Args{1, 2}, &sum))
		require.Equal(t, 3, sum)
		require.NoError(t, p.Client().Call("Service.Add", Args{2, 2}, &sum))
		require.Equal(t, 4, sum)
		require.NoError(t, (<-p.Go("Service.Add", Args{3, 2}, &sum, nil).Done).Error)
		require.Equal(t, 5, sum)
		require.NoError(t, p.Notify(t.Context(), "Service.Add", Args{}))
		require.NoError(t, p.Flush(t.Context()))
		require.NoError(t, p.Call("Service.Add", Args{}, nil), "behind the notification")
		require.EqualValues(t, 4, p.Stats().Made.Calls)
		require.EqualValues(t, 1, p.Stats().Made.Notifications)
		require.Zero(t, p.Stats().Link)
		require.Nil(t, p.Process())
	}
	var missing rpc.ServerError
	require.ErrorAs(t, a.Call("Nobody.There", 1, nil), &missing)
}

// TestBareHasNoStreams: what needs frames fails at once, and says why.
func TestBareHasNoStreams(t *testing.T) {
	a, _ := barePair(t, nil, nil)
	_, err := a.Open(t.Context())
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, err = a.Accept()
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, err = a.OpenOffer(t.Context(), 1)
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	l := a.Listener()
	_, err = l.Accept()
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	require.NoError(t, l.Close())
	_, err = a.Ping(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)

	name, conn := a.Offer()
	require.Zero(t, name)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, err = conn.Write([]byte{1})
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	require.NoError(t, conn.(*duplex.Stream).CloseWrite())
	require.NotEmpty(t, conn.LocalAddr().String())
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Hour)))
	require.NoError(t, conn.Close())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, a.Err(), "the link is as before")
}

// TestBareOptions: what a bare connection cannot give makes a Peer that has ended, and says what to do.
func TestBareOptions(t *testing.T) {
	for field, opts := range map[string]*rpcpipe.Options{
		"Keepalive":  {Keepalive: time.Second},
		"Checksum":   {Checksum: true},
		"NeedName":   {NeedName: "app"},
		"MinVersion": {MinVersion: "1"},
		"MaxVersion": {MaxVersion: "1"},
	} {
		a, _ := barePair(t, opts, nil)
		<-a.Done()
		require.ErrorContains(t, a.Err(), "rpcpipe: Options."+field+" is set", field)
		require.ErrorContains(t, a.Wait(), "Options."+field)
		var down *viaduct.DownError
		require.ErrorAs(t, a.Call("Service.Add", Args{}, nil), &down)
		require.ErrorContains(t, down, field)
	}
}

// TestOptionsOfProcesses: options that only procspawn looks at are refused by every way to a Peer.
func TestOptionsOfProcesses(t *testing.T) {
	for field, opts := range map[string]*rpcpipe.Options{
		"HandshakeTimeout": {HandshakeTimeout: -1},
		"CrashOutput":      {CrashOutput: 99},
		"ParentDeath":      {ParentDeath: 99},
		"Limits.Memory":    {Limits: procspawn.Limits{Memory: -1}},
		"MinVersion":       {MinVersion: "a"},
		"MaxVersion":       {MinVersion: "2", MaxVersion: "1"},
		"Name":             {Name: strings.Repeat("x", 1000)},
	} {
		a, _ := barePair(t, opts, nil)
		require.ErrorContains(t, a.Wait(), field)
		x, _ := net.Pipe()
		_, err := rpcpipe.New(t.Context(), x, opts)
		require.ErrorContains(t, err, field)
		require.PanicsWithError(t, err.Error(), func() { rpcpipe.Pair(opts, nil) })
		require.PanicsWithError(t, err.Error(), func() { rpcpipe.Pair(nil, opts) })
	}
}

// TestBareRefusesFirst: where options are refused, nothing of the connection is read.
func TestBareRefusesFirst(t *testing.T) {
	x, y := net.Pipe()
	s := newService()
	p := rpcpipe.NewBare(x, &rpcpipe.Options{Server: s.server, CrashOutput: 99})
	_, err := y.Write([]byte("\x94\x00\x01\xabService.Add\x91\x80"))
	require.Equal(t, io.ErrClosedPipe, err)
	require.ErrorContains(t, p.Wait(), "CrashOutput")
	require.Zero(t, p.Stats().Served)
}

// TestBareShutdown: it waits for the calls of this side and for those that it is handling, and refuses
// others.
func TestBareShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := newService(), newService()
		a, b := barePair(t, &rpcpipe.Options{Server: here.server}, &rpcpipe.Options{Server: there.server})
		here.use(a)
		there.use(b)
		out := a.Go("Service.ParkNote", []byte{1}, nil, nil)
		in := b.Go("Service.ParkNote", []byte{1}, nil, nil)
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- a.Shutdown(t.Context()) }()
		synctest.Wait()
		require.Empty(t, down)
		err := a.Call("Service.Add", Args{}, nil)
		require.ErrorAs(t, err, new(*viaduct.ShutdownError))
		require.ErrorIs(t, err, duplex.ErrShutdown)
		require.ErrorIs(t, a.Notify(t.Context(), "Service.Add", Args{}), rpc.ErrShutdown)
		require.NoError(t, b.Call("Service.Add", Args{}, nil), "calls of the other side are served")

		require.NoError(t, here.Unpark(0, nil))
		require.NoError(t, (<-in.Done).Error)
		synctest.Wait()
		require.Empty(t, down)
		require.NoError(t, there.Unpark(0, nil))
		require.NoError(t, (<-out.Done).Error)
		require.NoError(t, <-down)
		require.ErrorIs(t, a.Call("Service.Add", Args{}, nil), rpc.ErrShutdown)
		require.NoError(t, a.Wait())
		<-b.Done()
	})
}

// TestBareShutdownEnds: it ends with its context, and with the link.
func TestBareShutdownEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there := newService()
		a, b := barePair(t, nil, &rpcpipe.Options{Server: there.server})
		there.use(b)
		out := a.Go("Service.ParkNote", []byte{1}, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, a.Shutdown(ctx))
		require.Equal(t, rpc.ErrShutdown, (<-out.Done).Error)
		require.NoError(t, there.Unpark(0, nil))

		c, d := barePair(t, nil, nil)
		c.Go("Nobody.Answers", 0, nil, nil)
		require.NoError(t, d.Close())
		require.Equal(t, io.ErrUnexpectedEOF, c.Shutdown(t.Context()), "a call was lost")
	})
}
