//go:build unix

package rpcpipe_test

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// An old peer knows neither streams nor shutdown.
func oldPeer(t *testing.T, conn io.ReadWriteCloser, server *rpc.Server) *endpoint.Endpoint {
	link, err := procspawn.Handshake(context.Background(), conn, &procspawn.Options{})
	if !assert.NoError(t, err) {
		return nil
	}
	var opts duplex.Options
	handles.SetFrames(&opts, handles.Frames{NoStreams: true, NoShutdown: true})
	old := duplex.New(link, &opts)
	return endpoint.New(testkit.LinkOf(old.ClientLane()), testkit.LinkOf(old.ServerLane()), endpoint.Config{
		Message: message.Codec{Body: new(body.Codec)}, Serve: serve.Config{Server: server},
	})
}

// withOldPeer returns a peer of one.
func withOldPeer(t *testing.T, here, there *rpc.Server) (*rpcpipe.Peer, *endpoint.Endpoint) {
	one, other := pipes(t)
	ready := make(chan *endpoint.Endpoint)
	go func() { ready <- oldPeer(t, other, there) }()
	p, err := rpcpipe.New(t.Context(), one, &rpcpipe.Options{Server: here})
	require.NoError(t, err)
	return p, <-ready
}

// TestShutdownOldPeer: one that knows nothing of it does not learn of it. This
// side's calls, and those that it serves, are finished all the same.
func TestShutdownOldPeer(t *testing.T) {
	here, there := newService(), newService()
	began, gate := make(chan struct{}, 2), make(chan struct{})
	wait := asker(func(context.Context) error {
		began <- struct{}{}
		<-gate
		return nil
	})
	require.NoError(t, here.server.RegisterName("Test", wait))
	require.NoError(t, there.server.RegisterName("Test", wait))
	p, old := withOldPeer(t, here.server, there.server)
	_, err := p.Open(t.Context())
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, err = p.OpenOffer(t.Context(), 1)
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, stream := p.Offer()
	require.NoError(t, stream.Close())

	ours := p.Go("Test.Ask", &Parcel{}, nil, nil)
	theirs := old.Go("Test.Ask", &Parcel{}, nil, nil)
	<-began
	<-began
	for i := range 100 {
		require.NoError(t, p.Notify(t.Context(), "Service.Note", i))
	}
	ended := beginShutdown(t, p)
	require.NoError(t, old.Call("Service.Add", Args{}, nil)) // does not know
	require.Empty(t, ended)
	close(gate)
	require.NoError(t, <-ended)
	require.NoError(t, (<-ours.Done).Error)
	require.NoError(t, (<-theirs.Done).Error)
	require.NoError(t, p.Wait())
	<-old.Done()
	require.ErrorIs(t, old.Err(), duplex.ErrPeerClosed)
	require.Zero(t, old.Wait(t.Context()))
	require.Len(t, there.notes, 100)
}

// TestShutdownOldPeerReply: a reply that comes just when Shutdown begins is not lost.
func TestShutdownOldPeerReply(t *testing.T) {
	t.Parallel()
	for range 300 {
		p, old := withOldPeer(t, nil, newService().server)
		done := make(chan *rpc.Call, 3)
		for range cap(done) {
			require.NoError(t, p.Call("Service.Add", Args{}, nil))
			p.Go("Service.Add", Args{}, nil, done)
		}
		require.NoError(t, p.Shutdown(t.Context()))
		for range cap(done) {
			require.NoError(t, (<-done).Error)
		}
		<-old.Done()
	}
}

// Parent is what the children of examples/polyglot may call.
type polyglotParent struct{ heard chan string }

func (p *polyglotParent) Tell(word string, _ *int) error {
	p.heard <- word
	return nil
}

func (p *polyglotParent) Echo(data []byte, reply *[]byte) error {
	*reply = data
	return nil
}

// TestShutdownPolyglot: children in other languages, which know of it.
func TestShutdownPolyglot(t *testing.T) {
	t.Parallel() // beside those that wait
	const dir = "../examples/polyglot"
	for _, language := range []struct {
		file, needs   string
		interpreters  []string
		hasItsPackage []string // arguments
	}{
		{"python/child.py", "Python with msgpack", []string{"python3", "/usr/bin/python3"}, []string{"-c", "import msgpack"}},
		{"node/child.mjs", "Node.js, and npm ci --prefix examples/polyglot", []string{"node"}, []string{"--input-type=module", "-e", "import '@msgpack/msgpack'"}},
	} {
		t.Run(language.file, func(t *testing.T) {
			interpreter := ""
			for _, name := range language.interpreters {
				cmd := exec.Command(name, language.hasItsPackage...)
				cmd.Dir = dir
				if cmd.Run() == nil {
					interpreter = name
					break
				}
			}
			if interpreter == "" {
				if os.Getenv("VIADUCT_MUST_RUN") != "" {
					t.Fatal("needs " + language.needs)
				}
				t.Skip("needs " + language.needs)
			}
			parent := &polyglotParent{make(chan string, 200)}
			server := rpc.NewServer()
			require.NoError(t, server.RegisterName("Parent", parent))
			p, err := rpcpipe.Start(t.Context(), exec.Command(interpreter, filepath.Join(dir, language.file), procspawn.Here, "Ada"),
				&rpcpipe.Options{Server: server, CloseTimeout: 20 * time.Second})
			require.NoError(t, err)
			defer p.Close()
			_, err = p.OpenOffer(t.Context(), 1)
			require.ErrorIs(t, err, duplex.ErrRefused)
			done := make(chan *rpc.Call, 20)
			replies := make([][]byte, cap(done))
			for i := range replies {
				p.Go("Child.Relay", someData(20_000*i), &replies[i], done)
			}
			for range 100 {
				require.NoError(t, p.Notify(t.Context(), "Child.Tell", "word"))
			}
			require.NoError(t, p.Shutdown(t.Context()))
			for range replies {
				require.NoError(t, (<-done).Error)
			}
			for i, reply := range replies {
				require.NoError(t, expectData(reply, someData(20_000*i)))
			}
			require.NoError(t, p.Wait())
			exit := p.Process().Exit()
			require.Equal(t, 0, exit.Code)
			require.LessOrEqual(t, exit.Step, procspawn.StepCloseLink)
		})
	}
}

// TestSyncOldPeer: it does not know one.
func TestSyncOldPeer(t *testing.T) {
	p, _ := withOldPeer(t, nil, nil)
	require.ErrorIs(t, p.Sync(t.Context()), errors.ErrUnsupported)
	require.NoError(t, p.Close())
}
