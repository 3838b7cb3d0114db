package rpcpipe_test

import (
	"errors"
	"fmt"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Service is what both sides of every link in these tests serve.
type Service struct {
	connected chan struct{} // closed when peer is set
	peer      *rpcpipe.Peer
	server    *rpc.Server

	mu       sync.Mutex // guards what follows
	notes    []int
	unparked bool
	changed  *sync.Cond
}

type Args struct{ A, B int }

type Unencodable struct{ C chan int }

func newService() *Service {
	s := &Service{connected: make(chan struct{}), server: rpc.NewServer()}
	s.changed = sync.NewCond(&s.mu)
	if err := s.server.Register(s); err != nil {
		panic(err)
	}
	return s
}

// maxMessage is the limit on both sides: small enough to test, larger than the window.
const maxMessage = 4 << 20

func (s *Service) options() *rpcpipe.Options {
	return &rpcpipe.Options{Server: s.server, MaxMessage: maxMessage}
}

// use says which peer the handlers call back.
func (s *Service) use(p *rpcpipe.Peer) *rpcpipe.Peer {
	s.peer = p
	close(s.connected)
	return p
}

func (s *Service) Add(args *Args, sum *int) error { *sum = args.A + args.B; return nil }

func (s *Service) Echo(args []byte, reply *[]byte) error { *reply = args; return nil }

func (s *Service) Fail(text string, _ *int) error { return errors.New(text) }

func (s *Service) Unencodable(_ int, reply *Unencodable) error {
	reply.C = make(chan int)
	return nil
}

func (s *Service) Sized(n int, reply *[]byte) error { *reply = make([]byte, n); return nil }

// Nest calls back until depth is used up, so that depth+1 handlers wait for each other.
func (s *Service) Nest(depth int, reply *int) error {
	if depth == 0 {
		return nil
	}
	<-s.connected
	err := s.peer.Call("Service.Nest", depth-1, reply)
	*reply++
	return err
}

func (s *Service) Note(n int, _ *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, n)
	s.changed.Broadcast()
	return nil
}

// BigNote is a Note with ballast: its number is its length.
func (s *Service) BigNote(p []byte, reply *int) error { return s.Note(len(p), reply) }

// Notes waits for n notes, returns them and forgets them.
func (s *Service) Notes(n int, reply *[]int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.notes) < n {
		s.changed.Wait()
	}
	*reply, s.notes = s.notes, nil
	return nil
}

// Sync waits for n notes, and forgets them.
func (s *Service) Sync(n int, _ *int) error { return s.Notes(n, new([]int)) }

func (s *Service) Park(_ int, _ *int) error { select {} }

// Run runs a behaviour on this side, against the side that calls.
func (s *Service) Run(name string, failure *string) error {
	<-s.connected
	if err := behaviours[name](s.peer); err != nil {
		*failure = err.Error()
	}
	return nil
}

func init() {
	children["service"] = func([]string) {
		s := newService()
		p := s.use(connect(s.options()))
		if err := p.Wait(); err != nil {
			fmt.Println("child:", err)
		}
	}
}
