package work

import (
	"errors"
	"sync/atomic"
	"time"
)

// Service does the work in a child, with methods as net/rpc wants them.
type Service struct {
	// Parent returns what calls the parent, if the child can.
	Parent func(broker uint32) (Adder, error)

	notes atomic.Int64
}

// Want is the argument of Usage.
type Want struct{ Memory bool }

// CallBack is the argument of the method of that name.
type CallBack struct {
	Callers  int
	Duration time.Duration
	Broker   uint32 // of go-plugin: the number of a way back
}

// Add is the small call.
func (s *Service) Add(p Pair, sum *Sum) error {
	sum.C = p.A + p.B
	return nil
}

// Echo returns what it gets.
func (s *Service) Echo(p []byte, back *[]byte) error {
	*back = p
	return nil
}

// Update returns the record a year later.
func (s *Service) Update(r Record, back *Record) error {
	*back = r.Updated()
	return nil
}

// EchoFloats returns what it gets.
func (s *Service) EchoFloats(list []float64, back *[]float64) error {
	*back = list
	return nil
}

// Usage says what the child has used.
func (s *Service) Usage(w Want, u *Usage) (err error) {
	*u, err = Used(w.Memory)
	return err
}

// CallBack calls the parent.
func (s *Service) CallBack(c CallBack, n *int) error {
	if s.Parent == nil {
		return errors.New("this child cannot call its parent")
	}
	parent, err := s.Parent(c.Broker)
	if err != nil {
		return err
	}
	*n, err = Drive(parent, c.Callers, c.Duration)
	return err
}

// Note counts.
func (s *Service) Note(Pair, *struct{}) error {
	s.notes.Add(1)
	return nil
}

// Notes returns how often Note was called since it was last asked.
func (s *Service) Notes(_ struct{}, n *int) error {
	*n = int(s.notes.Swap(0))
	return nil
}

// Small has the small call alone: it is what a parent serves.
type Small struct{}

// Add is the small call.
func (Small) Add(p Pair, sum *Sum) error {
	sum.C = p.A + p.B
	return nil
}
