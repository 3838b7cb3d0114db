package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Count is the argument of Tally.Count.
type Count struct {
	viaduct.Caller
	Job string // by this name the caller knows which job a Progress is of
	To  int
}

// Progress is what Tally tells its caller, one way.
type Progress struct {
	Job      string
	Done, Of int
}

// Tally is the service that takes long.
type Tally struct {
	mu      sync.Mutex
	stopped map[string]bool // jobs
}

// Count counts, tells how far it is, and replies how far it has come.
func (t *Tally) Count(count Count, done *int) error {
	ctx := count.Context()
	caller := rpcpipe.FromContext(ctx)
	for *done < count.To && !t.isStopped(count.Job) {
		*done++
		// Notify waits for a caller that is slower; TryNotify would leave out what finds no room.
		if err := caller.Notify(ctx, "Screen.Show", Progress{count.Job, *done, count.To}); err != nil {
			return count.Fail(err) // the caller has given up, or is gone
		}
	}
	return caller.Sync(ctx) // all of it has been shown before the reply comes
}

// Stop has a job return early, with what it has.
func (t *Tally) Stop(job string, _ *struct{}) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped[job] = true
	return nil
}

func (t *Tally) isStopped(job string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped[job]
}

// Screen is the service of the caller.
type Screen struct{ show func(Progress) }

// Show is called for one Progress after the other, in their order.
func (s *Screen) Show(p Progress, _ *struct{}) error {
	s.show(p)
	return nil
}

// A call that takes long tells how far it is. It can be given up, or told to return with what it has.
func Example_progress() {
	server, screen := rpc.NewServer(), rpc.NewServer()
	if err := server.Register(&Tally{stopped: make(map[string]bool)}); err != nil {
		log.Fatal(err)
	}
	var peer *rpcpipe.Peer
	ctx, giveUp := context.WithCancel(context.Background())
	if err := screen.Register(&Screen{func(p Progress) {
		switch {
		case p.Job == "short":
			fmt.Println(p.Done, "of", p.Of)
		case p.Job == "stopped" && p.Done == 2:
			peer.Go("Tally.Stop", p.Job, nil, nil)
		case p.Job == "given up" && p.Done == 2:
			giveUp()
		}
	}}); err != nil {
		log.Fatal(err)
	}
	peer, other := rpcpipe.Pair(&rpcpipe.Options{Server: screen}, &rpcpipe.Options{Server: server})
	defer other.Close()
	defer peer.Close()

	var done int
	err := peer.CallContext(ctx, "Tally.Count", Count{Job: "short", To: 3}, &done)
	fmt.Println("short:", done, err)
	err = peer.CallContext(ctx, "Tally.Count", Count{Job: "stopped", To: math.MaxInt}, &done)
	fmt.Println("stopped early:", done >= 2 && done < math.MaxInt, err)
	err = peer.CallContext(ctx, "Tally.Count", Count{Job: "given up", To: math.MaxInt}, &done)
	fmt.Println("given up:", errors.Is(err, context.Canceled))
	// Output:
	// 1 of 3
	// 2 of 3
	// 3 of 3
	// short: 3 <nil>
	// stopped early: true <nil>
	// given up: true
}
