package suite

import (
	"context"
	"runtime"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// alive starts a child of each contender, warms them, and measures all in turns. The children live
// through all rounds.
func (r *runner) alive(ctx context.Context, w *Work, list []*contender.Contender) (map[string][]Sample, error) {
	peers := map[string]work.Peer{}
	defer func() {
		for _, p := range peers {
			p.Close() // the child is gone, whatever it says
		}
	}()
	for _, c := range list {
		p, err := c.Start(ctx, r.self, w.opts)
		if err != nil {
			return nil, err
		}
		peers[c.Name] = p
		warm := func(context.Context, *contender.Contender) (Sample, error) { return w.do(p, r.Slice/2) }
		if _, err := r.guarded(ctx, c, warm); err != nil {
			return nil, err
		}
	}
	return r.inTurns(ctx, w, list, func(_ context.Context, c *contender.Contender) (Sample, error) {
		return w.sample(peers[c.Name], r.Slice)
	})
}

// sample measures one slice.
func (w *Work) sample(p work.Peer, slice time.Duration) (Sample, error) {
	runtime.GC() // the garbage of others is not this one's
	slice *= time.Duration(max(w.slices, 1))
	if !w.countsCPU() {
		return w.do(p, slice)
	}
	before, err := cpu(p)
	if err != nil {
		return Sample{}, err
	}
	s, err := w.do(p, slice)
	if err != nil {
		return s, err
	}
	after, err := cpu(p)
	s.CPU = after - before
	return s, err
}

// cpu returns the processor time that both processes have used.
func cpu(p work.Peer) (time.Duration, error) {
	child, err := p.Usage(false)
	if err != nil {
		return 0, err
	}
	here, err := work.Used(false)
	return here.CPU + child.CPU, err
}
