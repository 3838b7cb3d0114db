package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// counting counts what is written to a connection.
type counting struct {
	io.ReadWriteCloser
	written int
}

func (c *counting) Write(p []byte) (int, error) {
	c.written += len(p)
	return c.ReadWriteCloser.Write(p)
}

// TestUnencodableArgument: it costs that call, and no byte leaves.
func TestUnencodableArgument(t *testing.T) {
	x, y := net.Pipe()
	conn := &counting{ReadWriteCloser: x}
	defer x.Close()
	serve(&viaduct.Options{Server: testkit.NewServer(nil)}, y)
	client := viaduct.NewClient(conn)
	for _, args := range []any{make(chan int), func() {}, struct{ C chan int }{}, map[string]any{"f": func() {}}} {
		err := client.Call("Arith.Add", args, new(Reply))
		var berr *viaduct.BodyError
		require.ErrorAs(t, err, &berr)
		require.Equal(t, "encode", berr.Op)
		require.Zero(t, conn.written)
	}
	require.NoError(t, client.Call("Arith.Add", Args{1, 2}, new(Reply)))
	require.NotZero(t, conn.written)
}

// TestUnencodableReply: it becomes an error reply, and the connection lives.
func TestUnencodableReply(t *testing.T) {
	testkit.OverConns(t, func(t *testing.T, x, y io.ReadWriteCloser) {
		serve(&viaduct.Options{Server: testkit.NewServer(nil)}, y)
		client := viaduct.NewClient(x)
		err := client.Call("Bad.Reply", 1, new(testkit.Unencodable))
		require.IsType(t, rpc.ServerError(""), err)
		require.ErrorContains(t, err, "viaduct: cannot encode reply of Bad.Reply, type *testkit.Unencodable: ")
		require.NoError(t, client.Call("Arith.Add", Args{1, 2}, new(Reply)))
		client.Close()
	})
}

// TestOverLimit: both numbers are in the error, and the connection lives.
func TestOverLimit(t *testing.T) {
	testkit.OverConns(t, func(t *testing.T, x, y io.ReadWriteCloser) {
		opts := &viaduct.Options{Server: testkit.NewServer(nil), MaxMessage: 1 << 20}
		serve(opts, y)
		client := opts.NewClient(x)
		err := client.Call("Raw.Echo", make([]byte, 1<<20), nil)
		require.ErrorContains(t, err, "message of 1048598 bytes is over the limit of 1048576")
		err = client.Call("Raw.Sized", 1<<20, nil)
		require.IsType(t, rpc.ServerError(""), err)
		require.ErrorContains(t, err, "message of 1048589 bytes is over the limit of 1048576")
		require.NoError(t, client.Call("Raw.Sized", 1<<20-13, nil), "just the limit")
		client.Close()
	})
}

// TestUndecodableReply ends that client and its calls, and nothing hangs.
func TestUndecodableReply(t *testing.T) {
	testkit.OverConns(t, func(t *testing.T, x, y io.ReadWriteCloser) {
		gate := make(chan struct{})
		t.Cleanup(func() { close(gate) })
		serve(&viaduct.Options{Server: testkit.NewServer(testkit.Hooks{"Gate": func(string) (string, error) { <-gate; return "", nil }})}, y)
		client := viaduct.NewClient(x)
		parked := client.Go("Gate.Do", "", nil, nil)
		var wrong []string
		err := client.Call("Arith.Add", Args{1, 2}, &wrong)
		require.ErrorContains(t, err, "reading body viaduct: cannot decode reply of Arith.Add, type *[]string: type mismatch")
		<-parked.Done
		require.ErrorContains(t, parked.Error, "cannot decode reply")
		require.Equal(t, rpc.ErrShutdown, client.Call("Arith.Add", Args{1, 2}, nil))
		_, err = x.Write([]byte{0xc0})
		require.Error(t, err, "the connection is closed: rpc.Client does not do it")
	})
}

// started returns a call that has been sent on the other end of y, and read there.
func started(t *testing.T, client *rpc.Client, y net.Conn, reply any) *rpc.Call {
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(y, make([]byte, 13))
		read <- err
	}()
	call := client.Go("A.B", 1, reply, make(chan *rpc.Call, 1))
	require.NoError(t, <-read)
	return call
}

// TestUndecodableReplyBesideWriter: a writer that waits holds the lock that
// rpc.Client needs to fail its calls.
func TestUndecodableReplyBesideWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		client := viaduct.NewClient(x)
		first := started(t, client, y, new(int))
		second := make(chan error, 1)
		go func() { second <- client.Call("A.B", 2, nil) }() // nobody reads it
		synctest.Wait()
		_, err := y.Write([]byte{0x94, 1, 0, 0xc0, 0xa1, 'x'})
		require.NoError(t, err)
		<-first.Done
		require.ErrorContains(t, first.Error, "cannot decode reply")
		require.Error(t, <-second)
	})
}

// TestEndBesideWriter: the same when the other side ends.
func TestEndBesideWriter(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"garbage":          func(y net.Conn) { y.Write([]byte{0xc1}) },
		"unknown type":     func(y net.Conn) { y.Write([]byte{0x94, 9, 0, 0, 0}) },
		"request":          func(y net.Conn) { y.Write([]byte{0x94, 0, 0, 0xa1, 'x', 0x90}) },
		"other side's end": func(y net.Conn) { y.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := net.Pipe()
				client := viaduct.NewClient(x)
				first := started(t, client, y, nil)
				second := make(chan error, 1)
				go func() { second <- client.Call("A.B", 2, nil) }()
				synctest.Wait()
				end(y)
				<-first.Done
				require.Error(t, first.Error)
				require.Error(t, <-second)
				var perr *viaduct.ProtocolError
				require.Equal(t, name != "other side's end", errors.As(first.Error, &perr))
			})
		})
	}
}

type writeCrasher struct{ done chan bool }

func (writeCrasher) Close() error                  { return nil }
func (w *writeCrasher) Read(p []byte) (int, error) { <-w.done; return 0, io.EOF }
func (writeCrasher) Write(p []byte) (int, error)   { return 0, errors.New("fake write failure") }

func TestClientWriteError(t *testing.T) {
	w := &writeCrasher{done: make(chan bool)}
	c := viaduct.NewClient(w)
	defer c.Close()
	require.EqualError(t, c.Call("foo", 1, new(bool)), "fake write failure")
	w.done <- true
}

// script is a connection that a test plays the other side of.
type script struct {
	io.Reader
	mu  chan struct{}
	out bytes.Buffer
}

func newScript(hexes ...string) *script {
	var in []byte
	for _, h := range hexes {
		b, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
		if err != nil {
			panic(err)
		}
		in = append(in, b...)
	}
	return &script{Reader: bytes.NewReader(in), mu: make(chan struct{}, 1)}
}

func (s *script) Write(p []byte) (int, error) {
	s.mu <- struct{}{}
	defer func() { <-s.mu }()
	return s.out.Write(p)
}

func (s *script) Close() error { return nil }

// TestServerNotifications run, and nothing is answered; those that fail are logged.
func TestServerNotifications(t *testing.T) {
	j, log := testkit.NewJournal()
	ran := make(chan string, 10)
	server := testkit.NewServer(testkit.Hooks{"Note": func(arg string) (string, error) {
		ran <- arg
		if arg == "b" {
			return "", errors.New("no luck")
		}
		return "ignored", nil
	}})
	conn := newScript(
		"93 02 a7 4e 6f 74 65 2e 44 6f 91 a1 61",
		"93 02 a7 4e 6f 74 65 2e 44 6f 91 a1 62",
		"93 02 a7 4e 6f 74 65 2e 44 6f 91 07",
		"93 02 a7 4e 6f 74 65 2e 4e 6f 91 a1 63",
		"94 00 05 a9 41 72 69 74 68 2e 41 64 64 91 82 a1 41 01 a1 42 02",
	)
	(&viaduct.Options{Server: server, Logger: log}).ServeConn(conn)
	require.ElementsMatch(t, []string{"a", "b"}, []string{<-ran, <-ran})
	require.Equal(t, "9401ce00000005c081a14303", hex.EncodeToString(conn.out.Bytes()))
	j.WaitFor(t, "no luck", "can't find method Note.No", "type mismatch")
	require.Equal(t, 3, strings.Count(j.All(), `msg="viaduct: notification failed"`))
}

// TestServerRefuses: what is no request ends the connection.
func TestServerRefuses(t *testing.T) {
	for _, h := range []string{"94 01 05 c0 07", "94 05 05 c0 07", "93 00 05 a1 6d", "c1", "07"} {
		x, y := net.Pipe()
		served := serve(&viaduct.Options{Server: testkit.NewServer(nil)}, y)
		b, err := hex.DecodeString(strings.ReplaceAll(h, " ", ""))
		require.NoError(t, err)
		_, err = x.Write(b)
		require.NoError(t, err)
		<-served
		_, err = x.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, h)
	}
}

// TestServerTinyLimit: where not even the refusal fits, the caller must not wait for ever.
func TestServerTinyLimit(t *testing.T) {
	x, y := net.Pipe()
	serve(&viaduct.Options{Server: testkit.NewServer(nil), MaxMessage: 40}, y)
	client := viaduct.NewClient(x)
	require.Error(t, client.Call("Raw.Sized", 1000, nil))
}

// TestClientDrops: replies to nobody and notifications are logged, and the calls go on.
func TestClientDrops(t *testing.T) {
	j, log := testkit.NewJournal()
	x, y := net.Pipe()
	client := (&viaduct.Options{Logger: log}).NewClient(x)
	defer client.Close()
	var reply int
	call := started(t, client, y, &reply)
	for _, msg := range []string{
		"\x94\x01\x07\xc0\x01",                 // a response to nobody
		"\x93\x02\xa4Note\x90",                 // a notification
		"\x94\x01\x00\xc0\x2a",                 // the response
		"\x94\x01\x00\xc0\x2b",                 // and again
		"\x94\x01\xce\xff\xff\xff\xff\xc0\xc0", // a response to nobody
	} {
		_, err := y.Write([]byte(msg))
		require.NoError(t, err)
	}
	<-call.Done
	require.NoError(t, call.Error)
	require.Equal(t, 42, reply)
	j.WaitFor(t, "msgid=7", "only a client", "method=Note", "msgid=0 ", "msgid=4294967295")
}

// TestForeignErrors: errors that are not text become readable.
func TestForeignErrors(t *testing.T) {
	x, y := net.Pipe()
	client := viaduct.NewClient(x)
	defer client.Close()
	call := started(t, client, y, nil)
	_, err := y.Write([]byte("\x94\x01\x00\x92\x00\xa9no buffer\xc0"))
	require.NoError(t, err)
	<-call.Done
	require.Equal(t, rpc.ServerError(`[0, "no buffer"]`), call.Error)
}
