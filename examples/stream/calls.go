package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// smallCalls knows how long each of them took.
type smallCalls struct {
	mu   sync.Mutex
	took []time.Duration
}

// run makes a small call each millisecond until ctx ends.
func (c *smallCalls) run(ctx context.Context, peer *rpcpipe.Peer) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		begin := time.Now()
		if err := peer.Call("Copier.Nothing", struct{}{}, nil); err != nil {
			return fmt.Errorf("a small call: %w", err)
		}
		c.add(time.Since(begin))
	}
}

func (c *smallCalls) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, d)
}

func (c *smallCalls) String() string {
	c.mu.Lock()
	sorted := slices.Sorted(slices.Values(c.took))
	c.mu.Unlock()
	if len(sorted) == 0 {
		return "no small calls yet"
	}
	return fmt.Sprintf("%d small calls: median %v, worst %v", len(sorted),
		sorted[len(sorted)/2].Round(time.Microsecond), sorted[len(sorted)-1].Round(time.Microsecond))
}
