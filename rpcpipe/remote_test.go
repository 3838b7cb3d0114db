package rpcpipe_test

import (
	"cmp"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Whose says what the peer of the child has said of itself.
func (s *Service) Whose(_ int, r *rpcpipe.Remote) error {
	<-s.connected
	*r = s.peer.Remote()
	return nil
}

func init() {
	children["named"] = func([]string) {
		s := newService()
		opts := s.options()
		opts.Name, opts.Version = "child", "v1.2-rc3"
		s.use(connect(opts)).Wait()
	}
}

// library returns r with what this library says of itself, if nothing else was asked of it.
func library(r rpcpipe.Remote) rpcpipe.Remote {
	r.MaxMessage = cmp.Or(r.MaxMessage, 128<<20)
	r.Encoding, r.Features = "msgpack", "streams shutdown calls sync settle zones eager methods crc32c"
	if !tuning.Eager {
		r.Features = "streams shutdown calls sync settle zones methods crc32c"
	}
	return r
}

// TestRemote: each side knows what the other has said of itself.
func TestRemote(t *testing.T) {
	t.Run("child", func(t *testing.T) {
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("named"), &rpcpipe.Options{Name: "parent", Version: "7"})
		require.NoError(t, err)
		child := library(rpcpipe.Remote{Name: "child", Version: "v1.2-rc3", Language: "go", Pid: p.Process().Pid(), MaxMessage: maxMessage, Protocol: 1})
		require.Equal(t, child, p.Remote())
		var r rpcpipe.Remote
		require.NoError(t, p.Call("Service.Whose", 0, &r))
		require.Equal(t, library(rpcpipe.Remote{Name: "parent", Version: "7", Language: "go", Pid: os.Getpid(), Protocol: 1}), r)
		p.Close()
		require.Equal(t, child, p.Remote(), "after the end")
	})
	t.Run("nameless", func(t *testing.T) {
		p := startChild(t, "service")
		require.Equal(t, library(rpcpipe.Remote{Language: "go", Pid: p.Process().Pid(), MaxMessage: maxMessage, Protocol: 1}), p.Remote())
	})
	t.Run("connection", func(t *testing.T) {
		one, other := net.Pipe()
		accepted := make(chan *rpcpipe.Peer, 1)
		go func() {
			q, err := rpcpipe.New(t.Context(), other, &rpcpipe.Options{Name: strings.Repeat("x", 256)})
			if err == nil {
				accepted <- q
			}
		}()
		p, err := rpcpipe.New(t.Context(), one, nil)
		require.NoError(t, err)
		defer p.Close()
		q := <-accepted
		defer q.Close()
		require.Equal(t, library(rpcpipe.Remote{Name: strings.Repeat("x", 256), Language: "go", Pid: os.Getpid(), Protocol: 1}), p.Remote())
		require.Equal(t, library(rpcpipe.Remote{Language: "go", Pid: os.Getpid(), Protocol: 1}), q.Remote())
	})
	t.Run("pair", func(t *testing.T) {
		a, b := rpcpipe.Pair(&rpcpipe.Options{Name: "a"}, &rpcpipe.Options{Name: "b", Version: "2"})
		defer a.Close()
		defer b.Close()
		require.Equal(t, library(rpcpipe.Remote{Name: "b", Version: "2", Language: "go", Pid: os.Getpid()}), a.Remote())
		require.Equal(t, library(rpcpipe.Remote{Name: "a", Language: "go", Pid: os.Getpid()}), b.Remote())
	})
	t.Run("bare", func(t *testing.T) {
		one, other := net.Pipe()
		defer other.Close()
		p := rpcpipe.NewBare(one, &rpcpipe.Options{Name: "me"})
		defer p.Close()
		require.Zero(t, p.Remote())
	})
}

// TestProcessKill: a call that is pending fails with an Exit that says it was this side.
func TestProcessKill(t *testing.T) {
	p := startChild(t, "service")
	parked := p.Go("Service.Park", 0, nil, nil)
	require.NoError(t, p.Call("Service.Add", Args{}, nil))
	begin := time.Now()
	require.NoError(t, p.Process().Kill())
	var exit *procspawn.Exit
	require.ErrorAs(t, (<-parked.Done).Error, &exit)
	require.ErrorAs(t, p.Wait(), &exit)
	require.Less(t, time.Since(begin), slack(time.Second))
	require.Equal(t, procspawn.ByStop, exit.By)
	require.Equal(t, procspawn.StepKill, exit.Step)
	require.Equal(t, os.Kill, exit.Signal)
	require.ErrorIs(t, p.Process().Kill(), os.ErrProcessDone)
}
