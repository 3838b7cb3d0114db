// Package testkit has what the tests of several packages share: services, kinds of connection,
// bytes that have brought decoders down, and watches for what is left running. Only tests import
// it.
package testkit

import (
	"errors"
	"fmt"
	"net/rpc"
	"runtime"
)

// The service of Go's own tests of net/rpc.

type Args struct{ A, B int }

type Reply struct{ C int }

type Arith struct{}

func (Arith) Add(args Args, reply *Reply) error {
	reply.C = args.A + args.B
	return nil
}

func (Arith) Mul(args *Args, reply *Reply) error {
	reply.C = args.A * args.B
	return nil
}

func (Arith) Div(args Args, reply *Reply) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.C = args.A / args.B
	return nil
}

func (Arith) String(args *Args, reply *string) error {
	*reply = fmt.Sprintf("%d+%d=%d", args.A, args.B, args.A+args.B)
	return nil
}

func (Arith) Scan(args string, reply *Reply) error {
	_, err := fmt.Sscan(args, &reply.C)
	return err
}

// Raw is for bytes as they are.
type Raw struct{}

func (Raw) Echo(args []byte, reply *[]byte) error {
	*reply = args
	return nil
}

func (Raw) Sized(n int, reply *[]byte) error {
	*reply = make([]byte, n)
	return nil
}

// Bad does what a service should not.
type Bad struct{}

type Unencodable struct{ C chan int }

func (Bad) Reply(_ int, reply *Unencodable) error { reply.C = make(chan int); return nil }
func (Bad) Goexit(_ int, _ *int) error            { runtime.Goexit(); return nil }
func (Bad) NoText(_ int, _ *int) error            { return errors.New("") }

// Hook is a service of one method that a test provides.
type Hook struct {
	Func func(arg string) (string, error)
}

func (h *Hook) Do(arg string, reply *string) (err error) {
	*reply, err = h.Func(arg)
	return err
}

// Hooks are services by name.
type Hooks map[string]func(arg string) (string, error)

// NewServer returns a server of everything above.
func NewServer(h Hooks) *rpc.Server {
	s := rpc.NewServer()
	for _, service := range []any{Arith{}, Raw{}, Bad{}} {
		if err := s.Register(service); err != nil {
			panic(err)
		}
	}
	for name, do := range h {
		if err := s.RegisterName(name, &Hook{do}); err != nil {
			panic(err)
		}
	}
	return s
}
