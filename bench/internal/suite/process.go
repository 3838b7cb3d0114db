package suite

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// idle is how long children are left alone before their memory is counted.
const idle = 500 * time.Millisecond

// start starts children one after another, and times each to its first reply. The children are
// minimal programs: this one would pay for the initialisation of all contenders' packages.
func (r *runner) start(ctx context.Context, c *contender.Contender) (Sample, error) {
	var s Sample
	for end := time.Now().Add(r.Slice); ; {
		begin := time.Now()
		p, err := c.Start(ctx, r.program(c), work.Options{})
		if err != nil {
			return s, err
		}
		err = work.Add(p, 20, 22)
		s.Times = append(s.Times, time.Since(begin))
		if err := errors.Join(err, p.Close()); err != nil {
			return s, err
		}
		if !time.Now().Before(end) {
			return s, nil
		}
	}
}

// memory starts many children, which are minimal programs, has each make a call, leaves them alone,
// and counts.
func (r *runner) memory(ctx context.Context, c *contender.Contender) (s Sample, err error) {
	before, err := work.Used(true)
	if err != nil {
		return s, err
	}
	var peers []work.Peer
	defer func() {
		for _, p := range peers {
			err = errors.Join(err, p.Close())
		}
	}()
	for range r.Children {
		p, err := c.Start(ctx, r.program(c), work.Options{})
		if err != nil {
			return s, err
		}
		peers = append(peers, p)
		if err := work.Add(p, 20, 22); err != nil {
			return s, err
		}
	}
	select {
	case <-time.After(idle):
	case <-ctx.Done():
		return s, ctx.Err()
	}
	after, err := work.Used(true)
	if err != nil {
		return s, err
	}
	n := int64(len(peers))
	s.Heap = (after.Heap - before.Heap) / n
	s.All = after.Proportional - before.Proportional
	for _, p := range peers {
		u, err := p.Usage(true)
		if err != nil {
			return s, err
		}
		s.Anonymous += u.Anonymous / n
		s.All += u.Proportional
	}
	return s, nil
}

// size compares a minimal program with the empty one.
func (r *runner) size(_ context.Context, c *contender.Contender) (Sample, error) {
	empty, err := os.Stat(r.minimal("empty"))
	if err != nil {
		return Sample{}, err
	}
	program, err := os.Stat(r.program(c))
	if err != nil {
		return Sample{}, err
	}
	return Sample{Size: program.Size() - empty.Size()}, nil
}
