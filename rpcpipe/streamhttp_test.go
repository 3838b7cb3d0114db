package rpcpipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	children["http server"] = func([]string) {
		p := connect(nil)
		mux := http.NewServeMux()
		mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		mux.HandleFunc("/from", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
		go http.Serve(p.Listener(), mux)
		if err := p.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(5)
		}
	}
}

// TestHTTP: a server in the child, on a listener, and an ordinary client.
func TestHTTP(t *testing.T) {
	before := snapshot()
	p := startChild(t, "http server")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Open(ctx) }}
	client := &http.Client{Transport: transport}
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for _, n := range []int{0, i, 1 << 20} {
				if err := post(client, someData(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	response, err := client.Get("http://child/from")
	require.NoError(t, err)
	from, err := io.ReadAll(response.Body)
	response.Body.Close()
	require.NoError(t, err)
	require.Contains(t, string(from), "opener-")

	// Connections that the client keeps are streams that Shutdown waits for.
	soon, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Shutdown(soon) }()
	for err == nil {
		var stream net.Conn
		if stream, err = p.Open(t.Context()); err == nil {
			stream.Close()
		}
	}
	require.ErrorIs(t, err, duplex.ErrShutdown)
	select {
	case err := <-ended:
		t.Fatalf("Shutdown has not waited: %v", err)
	default:
	}
	transport.CloseIdleConnections()
	require.NoError(t, <-ended)
	cancel()
	require.Equal(t, 0, p.Process().Exit().Code)
	require.NoError(t, p.Wait())
	before.requireSame(t)
}

func post(client *http.Client, data []byte) error {
	response, err := client.Post("http://child/echo", "text/plain", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return errors.Join(err, expectData(got, data))
}

// TestListenerClose ends neither the link nor the child.
func TestListenerClose(t *testing.T) {
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			listener := p.Listener()
			ended := make(chan error, 1)
			go func() { ended <- acceptEcho(listener.Accept) }()
			require.NoError(t, p.Call("Service.OpenOne", 0, nil))
			require.NoError(t, listener.Close())
			require.ErrorIs(t, <-ended, net.ErrClosed)
			require.NoError(t, listener.Close())
			require.ErrorContains(t, p.Call("Service.OpenOne", 0, nil), "listener is closed")
			require.NoError(t, behaviours["offer is opened once"](p))
			again := p.Listener()
			go func() { ended <- acceptEcho(again.Accept) }()
			require.NoError(t, p.Call("Service.OpenOne", 0, nil))
			require.NoError(t, p.Close())
			require.ErrorIs(t, <-ended, net.ErrClosed)
			require.NoError(t, p.Wait())
		})
	}
}

// blocked are operations that wait until the link ends. They call ready when
// they are about to.
var blocked = map[string]func(p *rpcpipe.Peer, ready func()) error{
	"Open": func(p *rpcpipe.Peer, ready func()) error { // the other side does not accept
		ready()
		_, err := p.Open(context.Background())
		return err
	},
	"Accept": func(p *rpcpipe.Peer, ready func()) error { // nor open
		ready()
		_, err := p.Accept()
		return err
	},
	"Listener.Accept": func(p *rpcpipe.Peer, ready func()) error {
		ready()
		_, err := p.Listener().Accept()
		return err
	},
	"Read": func(p *rpcpipe.Peer, ready func()) error {
		stream, err := held(p)
		if err == nil {
			ready()
			_, err = stream.Read(make([]byte, 1))
		}
		return err
	},
	"Write": func(p *rpcpipe.Peer, ready func()) error {
		stream, err := held(p)
		if err == nil {
			ready()
			_, err = stream.Write(make([]byte, 8<<20))
		}
		return err
	},
	"Read of an offer": func(p *rpcpipe.Peer, ready func()) error {
		_, stream := p.Offer()
		ready()
		_, err := stream.Read(make([]byte, 1))
		return err
	},
	"Write of an offer": func(p *rpcpipe.Peer, ready func()) error {
		_, stream := p.Offer()
		ready()
		_, err := stream.Write(make([]byte, 1))
		return err
	},
}
