package rpcpipe_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// setBefore has f called before each start from now on.
func (n *nursery) setBefore(f func(ctx context.Context, n int) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = f
}

// pool makes a Pool of infants.
func (n *nursery) pool(t *testing.T, o *rpcpipe.PoolOptions) *rpcpipe.Pool {
	t.Helper()
	p, err := rpcpipe.NewPoolWith(t.Context(), n.start, named("one"), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.release()
		p.Close()
		p.Wait()
	})
	return p
}

// Long is an argument of jobs that take a time of the bubble.
type Long struct {
	viaduct.Caller
	ID int
	D  time.Duration
}

// Sleep takes no notice of the end of its context.
func (t Task) Sleep(l Long, child *int) error {
	t.Run(l.ID, child)
	select {
	case <-time.After(l.D):
	case <-t.hold: // the test is over
	}
	return nil
}

// Doze ends with its context.
func (t Task) Doze(l Long, child *int) error {
	t.Run(l.ID, child)
	select {
	case <-time.After(l.D):
		return nil
	case <-l.Context().Done():
		return l.Context().Err()
	}
}

// Fail fails.
func (t Task) Fail(id int, child *int) error {
	t.Run(id, child)
	return errors.New("no")
}

// Outer is a job that has its parent run another one.
func (t Task) Outer(l Long, child *int) error {
	t.Run(l.ID, child)
	return rpcpipe.FromContext(l.Context()).CallContext(l.Context(), "Boss.More", Long{ID: l.ID, D: l.D}, child)
}

// Boss is a service of the parent that has the pool do jobs.
type Boss struct{ pool *rpcpipe.Pool }

func (b *Boss) More(l Long, child *int) error {
	return b.pool.CallContext(l.Context(), "Task.Sleep", Long{ID: l.ID, D: l.D}, child)
}

func (b *Boss) Shutdown(l Long, _ *int) error { return b.pool.Shutdown(l.Context()) }

func (t Task) AskShutdown(l Long, child *int) error {
	t.Sleep(l, child)
	return rpcpipe.FromContext(l.Context()).CallContext(l.Context(), "Boss.Shutdown", Long{}, child)
}

// began returns when the ids ran, in their order.
func (n *nursery) order() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]int(nil), n.ran...)
}

// count is how many children there were.
func (n *nursery) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.children)
}

// ended reports whether the link of one of them has ended.
func (n *nursery) ended(born int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.children[born].peer.Done():
		return true
	default:
		return false
	}
}

// do is a job in the background.
func do(p *rpcpipe.Pool, method string, l Long) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.CallContext(context.Background(), method, l, new(int)) }()
	return done
}
