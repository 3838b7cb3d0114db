package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	programs["sleep"] = func([]string) { time.Sleep(5 * time.Second) }
	children["service with grandchild"] = func(args []string) {
		cmd := exec.Command(os.Args[0], "sleep") // has our stderr
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			os.Exit(5)
		}
		defer cmd.Process.Kill()
		children["service"](args)
	}
	// breaks what its parent has been told, and ends.
	children["bad parent"] = func(args []string) {
		connect(nil)
		cmd := procspawn.Self("patient witness")
		passFile(cmd, inherited())
		p, err := procspawn.Start(context.Background(), cmd, nil)
		if err != nil {
			fmt.Fprintln(inherited(), err)
			os.Exit(1)
		}
		p.Link().Write([]byte("no frames at all, but words"))
		io.Copy(io.Discard, p.Link()) // until the child has understood
		os.Exit(0)
	}
	children["patient witness"] = func([]string) {
		connect(nil)
		select {}
	}
}

// TestChildKilledWithGrandchild: every pending call learns how the child ended
// also when something else keeps the child's pipes open, and writes fail first.
func TestChildKilledWithGrandchild(t *testing.T) {
	t.Parallel()
	for range 5 {
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("service with grandchild"), nil)
		require.NoError(t, err)
		var calls sync.WaitGroup
		begun := make(chan struct{}, 8)
		for range 8 {
			calls.Go(func() {
				body := make([]byte, 300_000)
				for i := 0; ; i++ {
					if i == 1 {
						begun <- struct{}{}
					}
					if err := p.Call("Service.Echo", body, nil); err != nil {
						var exit *procspawn.Exit
						if !errors.As(err, &exit) {
							t.Errorf("%T: %v", err, err)
						}
						return
					}
				}
			})
		}
		for range 8 {
			<-begun
		}
		kill(t, p)
		calls.Wait()
		var exit *procspawn.Exit
		require.ErrorAs(t, p.Wait(), &exit)
		requireKilled(t, exit)
	}
}

// TestNoOrphanAfterProtocolError: a child that has ended its link because of
// what came through it does not live on either.
func TestNoOrphanAfterProtocolError(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := procspawn.Self("bad parent")
	passFile(cmd, w)
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	w.Close()
	r.SetReadDeadline(time.Now().Add(10 * time.Second)) // where it can have one
	text, err := io.ReadAll(r)                          // ends when the grandchild has
	require.NoError(t, err, "the child lives on")
	require.Empty(t, text)
	p.Wait()
}

// TestBadMessageIsNoOrderlyEnd: who sends what is no message learns that the link broke.
func TestBadMessageIsNoOrderlyEnd(t *testing.T) {
	one, other := net.Pipe()
	linked := make(chan *procspawn.Link)
	go func() {
		l, _ := procspawn.Handshake(context.Background(), other, nil)
		linked <- l
	}()
	p, err := rpcpipe.New(t.Context(), one, nil)
	require.NoError(t, err)
	bad := duplex.New(<-linked, nil)
	require.NoError(t, bad.ClientLane().WriteMessage([]byte{0x93, 0x07}))
	err = bad.Wait()
	require.NotErrorIs(t, err, duplex.ErrPeerClosed)
	var protocol *viaduct.ProtocolError
	require.ErrorAs(t, p.Wait(), &protocol)
}

// TestOutputErrorIsReported: what the caller's writer would not take is not lost in silence.
func TestOutputErrorIsReported(t *testing.T) {
	cmd := procspawn.Self("talker")
	cmd.Stdout = writerFunc(func([]byte) (int, error) { return 0, errors.New("disk full") })
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	require.NoError(t, p.Wait())
	require.ErrorContains(t, p.Process().Exit(), "disk full")
}

func init() {
	children["talker"] = func([]string) {
		connect(nil)
		fmt.Println("something")
	}
}

// TestAppendToDecodedBytes: a slice that a handler is given ends where it ends.
func TestAppendToDecodedBytes(t *testing.T) {
	type pair struct{ A, B []byte }
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("X", appender{}))
	a, b := rpcpipe.Pair(&rpcpipe.Options{Server: server}, nil)
	defer a.Close()
	var reply pair
	require.NoError(t, b.Call("X.Append", pair{[]byte("aaaa"), []byte("bbbb")}, &reply))
	require.Equal(t, pair{[]byte("aaaacccc"), []byte("bbbb")}, reply)
}

type appender struct{}

func (appender) Append(in *struct{ A, B []byte }, out *struct{ A, B []byte }) error {
	in.A = append(in.A, "cccc"...)
	*out = *in
	return nil
}
