package protowork

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/wire"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// Server does the work in a child, in a parent the small call.
type Server struct {
	// Parent returns what calls the parent, if the child can.
	Parent func(broker uint32) (work.Adder, error)
}

// Add is the small call.
func (s *Server) Add(_ context.Context, p *wire.Pair) (*wire.Sum, error) {
	return &wire.Sum{C: p.A + p.B}, nil
}

// Echo returns what it gets.
func (s *Server) Echo(_ context.Context, b *wire.Bytes) (*wire.Bytes, error) {
	return &wire.Bytes{Data: b.Data}, nil
}

// Update returns the record a year later.
func (s *Server) Update(_ context.Context, r *wire.Record) (*wire.Record, error) {
	return toWire(fromWire(r).Updated()), nil
}

// EchoFloats returns what it gets.
func (s *Server) EchoFloats(_ context.Context, f *wire.Floats) (*wire.Floats, error) {
	return &wire.Floats{List: f.List}, nil
}

// Usage says what the process has used.
func (s *Server) Usage(_ context.Context, w *wire.Want) (*wire.Usage, error) {
	u, err := work.Used(w.Memory)
	return &wire.Usage{Cpu: int64(u.CPU), Heap: u.Heap, Anonymous: u.Anonymous, Proportional: u.Proportional}, err
}

// CallBack calls the parent.
func (s *Server) CallBack(_ context.Context, d *wire.Drive) (*wire.Count, error) {
	if s.Parent == nil {
		return nil, errors.New("this process calls nobody")
	}
	parent, err := s.Parent(d.Broker)
	if err != nil {
		return nil, err
	}
	n, err := work.Drive(parent, int(d.Callers), time.Duration(d.Duration))
	return &wire.Count{N: int64(n)}, err
}

// Sink takes a stream of bytes.
func Sink(receive func() (*wire.Bytes, error)) (*wire.Count, error) {
	return drain(receive, func(b *wire.Bytes) int { return len(b.Data) })
}

// Notes takes a stream of small messages.
func Notes(receive func() (*wire.Pair, error)) (*wire.Count, error) {
	return drain(receive, func(*wire.Pair) int { return 1 })
}

func drain[M any](receive func() (M, error), size func(M) int) (*wire.Count, error) {
	total := 0
	for {
		m, err := receive()
		if err == io.EOF {
			return &wire.Count{N: int64(total)}, nil
		}
		if err != nil {
			return nil, err
		}
		total += size(m)
	}
}
