package rpcpipe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// spouts are what a process says last, and how many bytes that is.
var spouts = map[string]struct {
	say   func(p *rpcpipe.Peer) error
	bytes int
	each  int // bytes of a notification
}{
	"a notification":      {notifying(1, 200_000), 200_000, 200_000},
	"a long notification": {notifying(1, 6<<20), 6 << 20, 6 << 20},
	"5,000 notifications": {notifying(5000, 10), 50_000, 10},
	"tries": {func(p *rpcpipe.Peer) error {
		if _, err := p.Ping(context.Background()); err != nil { // the credit has come
			return err
		}
		for range 100 {
			if sent, err := p.TryNotify("Sink.Take", make([]byte, 100)); err != nil || !sent {
				return fmt.Errorf("sent: %v, error: %v", sent, err)
			}
		}
		return p.Flush(context.Background())
	}, 10_000, 100},
	"a stream": {func(p *rpcpipe.Peer) error {
		s, err := p.Open(context.Background())
		if err != nil {
			return err
		}
		if _, err = s.Write(make([]byte, 2<<20)); err != nil {
			return err
		}
		if err = s.Close(); errors.Is(err, os.ErrDeadlineExceeded) { // the machine is busy
			err = p.Flush(context.Background())
		}
		return err
	}, 2 << 20, 0},
}

func notifying(n, size int) func(*rpcpipe.Peer) error {
	return func(p *rpcpipe.Peer) error {
		for range n {
			if err := p.Notify(context.Background(), "Sink.Take", make([]byte, size)); err != nil {
				return err
			}
		}
		return nil
	}
}

// Sink counts what it is sent.
type Sink struct{ bytes atomic.Int64 }

func (s *Sink) Take(b []byte, _ *int) error { s.bytes.Add(int64(len(b))); return nil }

func (s *Sink) options() *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.Register(s); err != nil {
		panic(err)
	}
	return &rpcpipe.Options{Server: server}
}

// drain takes all that p's other side sends until it ends, and returns how much that was.
func (s *Sink) drain(p *rpcpipe.Peer) (int64, error) {
	for {
		stream, err := p.Accept()
		if err != nil {
			p.Wait()
			return s.bytes.Load(), nil
		}
		n, err := io.Copy(io.Discard, stream)
		stream.Close()
		if err != nil {
			return 0, err
		}
		s.bytes.Add(n)
	}
}

func init() {
	spout := func(name string, p *rpcpipe.Peer) {
		if err := spouts[name].say(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
		os.Exit(0)
	}
	children["spout"] = func(args []string) { spout(args[0], connect(nil)) }
	children["spouting parent"] = func(args []string) {
		connect(nil)
		cmd := procspawn.Self("sink")
		passFile(cmd, inherited())
		cmd.Stderr = os.Stderr
		p, err := rpcpipe.Start(context.Background(), cmd, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
		spout(args[0], p)
	}
	children["sink"] = func([]string) {
		s := new(Sink)
		opts := s.options()
		opts.ExitTimeout = time.Minute // to handle what has come, on a busy machine
		n, err := s.drain(connect(opts))
		fmt.Fprintln(inherited(), n, err)
	}
}

// TestNilIsWithTheSystem: what Notify, a stream's Write and Close, and Flush returned nil for arrives
// although the process exits right then.
func TestNilIsWithTheSystem(t *testing.T) {
	t.Parallel() // beside those that wait
	for name, spout := range spouts {
		t.Run(name+" of a child", func(t *testing.T) {
			for range 4 {
				s := new(Sink)
				p, err := rpcpipe.Start(t.Context(), procspawn.Self("spout", name), s.options())
				require.NoError(t, err)
				n, err := s.drain(p)
				require.NoError(t, err)
				// Of a machine so busy that none of them has its turn for 250 ms some are given up,
				// and counted. They have arrived.
				n += int64(p.Stats().Served.DroppedNotifications) * int64(spout.each)
				require.EqualValues(t, spout.bytes, n, "%v", p.Wait())
			}
		})
		t.Run(name+" of a parent", func(t *testing.T) {
			for range 4 {
				r, w, err := os.Pipe()
				require.NoError(t, err)
				cmd := procspawn.Self("spouting parent", name)
				passFile(cmd, w)
				p, err := rpcpipe.Start(t.Context(), cmd, nil)
				require.NoError(t, err)
				w.Close()
				line, err := bufio.NewReader(r).ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, strconv.Itoa(spout.bytes)+" <nil>\n", line)
				r.Close()
				p.Wait()
			}
		})
	}
}
