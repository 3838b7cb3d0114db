package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// goChild is polyglot/testdata/child.py in Go.
func goChild() {
	log.SetFlags(0)
	service := &testService{cut: make(chan func(), 1)}
	opts := &rpcpipe.Options{Server: rpc.NewServer(), Name: "test", Version: "1.2", MaxMessage: 32 << 20}
	if len(os.Args) > 1 {
		opts.MaxHandlers, _ = strconv.Atoi(os.Args[1])
	}
	if err := opts.Server.RegisterName("T", service); err != nil {
		log.Fatal(err)
	}
	var err error
	service.ready.Add(1)
	service.peer, err = rpcpipe.Connect(context.Background(), opts)
	if err != nil {
		log.Fatal(err)
	}
	service.ready.Done()
	go service.serveStreams()
	if err := service.peer.Wait(); errors.As(err, new(*duplex.ProtocolError)) || errors.As(err, new(*viaduct.ProtocolError)) {
		log.Fatal("the link was ended: ", err)
	}
}

type testService struct {
	ready sync.WaitGroup // for peer
	peer  *rpcpipe.Peer
	notes []int // by notifications, one at a time
	cut   chan func()
}

// None is an argument with nothing but its call.
type None struct{ viaduct.Caller }

func (s *testService) Echo(v any, reply *any) error { *reply = v; return nil }

func (s *testService) Relay(v any, reply *any) error {
	s.ready.Wait()
	return s.peer.Call("P.Echo", v, reply)
}

func (s *testService) Nest(n int, reply *int) error {
	s.ready.Wait()
	if n == 0 {
		return nil
	}
	err := s.peer.Call("P.Nest", N{N: n - 1}, reply)
	*reply++
	return err
}

func (s *testService) Note(n int, _ *struct{}) error { s.notes = append(s.notes, n); return nil }

func (s *testService) Notes(_ int, reply *[]int) error { *reply = s.notes; return nil }

func (s *testService) Tell(n int, _ *struct{}) error {
	s.ready.Wait()
	for i := range n {
		if err := s.peer.Notify(context.Background(), "P.Note", i); err != nil {
			return err
		}
	}
	return s.peer.Sync(context.Background())
}

func (s *testService) Fetch(n int, same *bool) error {
	s.ready.Wait()
	data := make([]byte, n)
	var reply []byte
	err := s.peer.Call("P.Echo", data, &reply)
	*same = string(data) == string(reply)
	return err
}

func (s *testService) Wait(n None, _ *struct{}) error {
	s.ready.Wait()
	if err := s.peer.Notify(context.Background(), "P.Event", "waiting"); err != nil {
		return err
	}
	<-n.Context().Done()
	if err := s.peer.Notify(context.Background(), "P.Event", "cancelled"); err != nil {
		return err
	}
	return n.Fail(n.Context().Err())
}

// About is what a method knows of its call.
type About struct {
	Left *float64          `msgpack:"left"`
	Meta map[string]string `msgpack:"meta"`
}

func (s *testService) About(n None, reply *About) error {
	if t, ok := n.Context().Deadline(); ok {
		left := time.Until(t).Seconds()
		reply.Left = &left
	}
	reply.Meta = n.Metadata
	return nil
}

// Problem is what a child says of an error.
type Problem struct {
	Kind     string   `msgpack:"kind"`
	Text     string   `msgpack:"text"`
	NotBegun bool     `msgpack:"notBegun"`
	Code     *int     `msgpack:"code"`
	Data     any      `msgpack:"data"`
	Names    []string `msgpack:"names"`
}

func describe(err error) Problem {
	p := Problem{Text: err.Error(), NotBegun: errors.Is(err, viaduct.ErrNotBegun), Names: []string{}}
	var e *viaduct.Error
	switch {
	case errors.As(err, &e):
		p.Kind, p.Code, p.Data = "MethodError", &e.Code, e.Data
	case errors.Is(err, viaduct.ErrOverload):
		p.Kind = "Overload"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		p.Kind = "DeadlineExceeded"
	case errors.As(err, new(rpc.ServerError)):
		p.Kind = "MethodError"
	case errors.Is(err, rpc.ErrShutdown):
		p.Kind = "Down"
	case errors.As(err, new(*viaduct.SizeError)), errors.As(err, new(*viaduct.BodyError)):
		p.Kind = "NotSent"
	case errors.As(err, new(*net.OpError)):
		p.Kind = "StreamError"
		if !errors.Is(err, duplex.ErrReset) && !errors.Is(err, duplex.ErrStopped) && !errors.Is(err, duplex.ErrRefused) {
			p.Kind = "Down"
		}
	default:
		p.Kind = fmt.Sprintf("%T", err)
	}
	return p
}

func (s *testService) Try(what string, reply *Problem) error {
	s.ready.Wait()
	ctx, method, arg := context.Background(), "P.Echo", any(nil)
	switch what {
	case "fail":
		method = "P.Fail"
	case "none":
		method = "P.Nothing"
	case "late":
		c, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		ctx, method = c, "P.Hold"
	case "large":
		arg = make([]byte, 65<<20)
	case "unencodable":
		arg = make(chan int)
	}
	if err := s.peer.CallContext(ctx, method, arg, nil); err != nil {
		*reply = describe(err)
	}
	return nil
}

func (s *testService) Flood(_ int, _ *struct{}) error {
	s.ready.Wait()
	done := make(chan *rpc.Call, 9)
	for range cap(done) {
		s.peer.Go("P.Hold", Holding{}, nil, done)
	}
	p := describe((<-done).Error)
	return s.peer.Notify(context.Background(), "P.Event", strings.ToLower(fmt.Sprint(p.Kind, " ", p.NotBegun)))
}

// Failing is an argument that says how to fail.
type Failing struct {
	viaduct.Caller
	How string
}

func (s *testService) Fail(f Failing, reply *any) error {
	s.ready.Wait()
	switch f.How {
	case "typed":
		return f.Fail(fmt.Errorf("%w%w", &viaduct.Error{Code: -7, Message: "bad", Data: map[string]any{"a": []any{1, "two"}}}, hidden{io.EOF}))
	case "passed":
		return f.Fail(s.peer.Call("P.Nothing", nil, nil))
	case "result":
		*reply = make(chan int)
		return nil
	case "large":
		*reply = make([]byte, 65<<20)
		return nil
	}
	return errors.New("plain")
}

// hidden is an error without a text of its own.
type hidden struct{ error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.error }

func (s *testService) Hold(h Holding, reply *string) error {
	s.ready.Wait()
	return s.peer.CallContext(h.Context(), "P.Hold", h, reply)
}

func (s *testService) Doomed(_ int, _ *struct{}) error {
	s.ready.Wait()
	p := describe(s.peer.Call("P.Hold", Holding{}, nil))
	log.Print("ended: ", p.Kind, " ", p.NotBegun)
	return nil
}

func (s *testService) Leave(_ int, _ *struct{}) error {
	s.ready.Wait()
	return s.peer.Close()
}

func (s *testService) Noise(_ int, _ *struct{}) error {
	fmt.Println(strings.Repeat("x", 10_000))
	fmt.Println("noise")
	return nil
}

func (s *testService) Ping(_ int, ok *bool) error {
	s.ready.Wait()
	_, err := s.peer.Ping(context.Background())
	*ok = err == nil
	return err
}
