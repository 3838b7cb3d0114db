package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// orderOf is how the lives of children end in a trial of order.
type orderOf struct {
	name  string
	kills bool // calls may be lost with a child
	run   func(o *orderly)
}

var orders = []orderOf{
	{"shutdowns by the parent", false, (*orderly).shutdown},
	{"shutdowns by the child", false, (*orderly).shutdownThere},
	{"swaps", false, (*orderly).swaps},
	{"pools that shut down", false, (*orderly).pool},
	{"children of a Supervisor killed", true, (*orderly).supervisorKills},
	{"children of a Pool killed", true, (*orderly).poolKills},
}

// orderAll ends children under load, and compares what their callers were told with what they have
// recorded.
func orderAll(t *trials) {
	dir, err := os.MkdirTemp("", "proof-order")
	if err != nil {
		t.found("unknown error", "%v", err)
		return
	}
	defer os.RemoveAll(dir)
	before := rpctest.TakeCensus()
	for i := range t.trials {
		of := orders[i%len(orders)]
		o := &orderly{trials: t, of: of, r: t.random(i), journal: filepath.Join(dir, fmt.Sprint(i)), outcomes: make(map[int]error), noted: make(map[int]bool)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			of.run(o)
		}()
		if !within(t, done, of.name) {
			return
		}
		o.compare()
		t.figures[of.name]++
		for _, left := range before.Left() {
			t.found("left behind", "%s: %s", of.name, left)
		}
		t.next()
	}
}

// orderly is one trial.
type orderly struct {
	*trials
	of      orderOf
	r       *rand.Rand // of the goroutine that ends children
	journal string     // where the children record what they begin, and what is done

	mu       sync.Mutex
	next     int           // id
	outcomes map[int]error // by ids: what the callers were told
	noted    map[int]bool  // ids of notifications
}

// caller is what can be called: a Peer, a Supervisor or a Pool.
type caller interface {
	CallContext(ctx context.Context, method string, args, reply any) error
}

// load calls c from so many goroutines, until stop is closed or calls fail for good.
func (o *orderly) load(c caller, goroutines int, stop <-chan struct{}) (wait func()) {
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o.mu.Lock()
				id := o.next
				o.next++
				o.mu.Unlock()
				noted, err := do(c, id)
				o.mu.Lock()
				if noted {
					o.noted[id] = true
				}
				o.outcomes[id] = err
				o.mu.Unlock()
				if errors.Is(err, rpc.ErrShutdown) { // no more
					return
				}
			}
		})
	}
	return all.Wait
}

// do makes a call, or each fourth time a notification, where c sends any.
func do(c caller, id int) (noted bool, err error) {
	ctx, arg := context.Background(), &Data{N: id}
	if n, ok := c.(interface {
		Notify(ctx context.Context, method string, args any) error
	}); ok && id%4 == 3 {
		return true, n.Notify(ctx, "Job.Do", arg)
	}
	return false, c.CallContext(ctx, "Job.Do", arg, nil)
}

// moment waits for a random moment, of some milliseconds.
func (o *orderly) moment() { <-time.After(time.Duration(o.r.IntN(20_000)) * time.Microsecond) }

func (o *orderly) command(rpcpipe.Incarnation) (*exec.Cmd, error) {
	return procspawn.Self("job", o.journal), nil
}

func (o *orderly) start() *rpcpipe.Peer {
	cmd, _ := o.command(rpcpipe.Incarnation{})
	p, err := rpcpipe.Start(context.Background(), cmd, options())
	if err != nil {
		o.found("unknown error", "start: %v", err)
		return nil
	}
	return p
}

// shutdown shuts a link down in the middle of calls.
func (o *orderly) shutdown() {
	p := o.start()
	if p == nil {
		return
	}
	wait := o.load(p, 16, nil)
	o.moment()
	if err := p.Shutdown(context.Background()); err != nil {
		o.found("wrong answer", "Shutdown: %v", err)
	}
	wait()
	p.Wait()
}

// shutdownThere has the child do so.
func (o *orderly) shutdownThere() {
	p := o.start()
	if p == nil {
		return
	}
	wait := o.load(p, 16, nil)
	o.moment()
	if err := p.Call("Job.Leave", &Data{}, nil); err != nil {
		o.found("wrong answer", "the Shutdown of the child: %v", err)
	}
	wait()
	if err := p.Wait(); err != nil {
		o.found("wrong answer", "the Shutdown of the child: Wait: %v", err)
	}
}

// supervise returns a Supervisor whose children come soon.
func (o *orderly) supervise() *rpcpipe.Supervisor {
	s, err := rpcpipe.Supervise(context.Background(), o.command, &rpcpipe.SuperviseOptions{
		Peer: options(), Restart: rpcpipe.Restart{Min: time.Millisecond, Max: 5 * time.Millisecond, Limit: 1 << 30},
	})
	if err != nil {
		o.found("unknown error", "supervise: %v", err)
		return nil
	}
	return s
}

// swaps replaces a child a few times, in the middle of calls.
func (o *orderly) swaps() {
	s := o.supervise()
	if s == nil {
		return
	}
	stop := make(chan struct{})
	wait := o.load(s, 16, stop)
	for range 4 {
		o.moment()
		if err := s.Swap(context.Background(), nil); err != nil {
			o.found("wrong answer", "Swap: %v", err)
		}
	}
	close(stop)
	wait()
	o.shut(s)
}

// supervisorKills kills children while they are called and swapped.
func (o *orderly) supervisorKills() {
	s := o.supervise()
	if s == nil {
		return
	}
	stop := make(chan struct{})
	wait := o.load(s, 16, stop)
	for i := range 4 {
		o.moment()
		if pid := s.Stats().Pid; pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
			o.figures["kills"]++
		}
		if i%2 == 1 {
			if err := s.Swap(context.Background(), nil); err != nil && !known(err) {
				o.found("unknown error", "Swap: %v", err)
			}
		}
	}
	close(stop)
	wait()
	o.shut(s)
}

// newPool returns a Pool of three children, with two jobs each.
func (o *orderly) newPool() *rpcpipe.Pool {
	p, err := rpcpipe.NewPool(context.Background(), o.command, &rpcpipe.PoolOptions{
		Size: 3, Concurrency: 2, RecycleJobs: 50,
		Supervise: &rpcpipe.SuperviseOptions{Peer: options(), Restart: rpcpipe.Restart{Min: time.Millisecond, Max: 5 * time.Millisecond, Limit: 1 << 30}},
	})
	if err != nil {
		o.found("unknown error", "pool: %v", err)
		return nil
	}
	return p
}

// pool shuts a Pool down in the middle of jobs.
func (o *orderly) pool() {
	p := o.newPool()
	if p == nil {
		return
	}
	wait := o.load(p, 16, nil)
	o.moment()
	o.moment()
	o.shut(p)
	wait()
}

// poolKills kills children of a Pool.
func (o *orderly) poolKills() {
	p := o.newPool()
	if p == nil {
		return
	}
	wait := o.load(p, 16, nil)
	for range 6 {
		o.moment()
		workers := p.Stats().Workers
		if len(workers) == 0 {
			continue
		}
		if pid := workers[o.r.IntN(len(workers))].Child.Pid; pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
			o.figures["kills"]++
		}
	}
	o.shut(p)
	wait()
}

// shut shuts down in order, and waits for the end.
func (o *orderly) shut(s interface {
	Shutdown(context.Context) error
	Wait() error
}) {
	if err := s.Shutdown(context.Background()); err != nil && !o.of.kills {
		o.found("wrong answer", "Shutdown: %v", err)
	}
	s.Wait()
}

// compare compares what callers were told with what children have recorded.
func (o *orderly) compare() {
	text, err := os.ReadFile(o.journal)
	if err != nil {
		o.found("unknown error", "the journal: %v", err)
		return
	}
	began, did, err := readJournal(text)
	if err != nil {
		o.found("wrong answer", "the journal: %v", err)
	}
	for id, err := range o.outcomes {
		b, d := began[id], did[id]
		switch {
		case b > 1 || d > 1:
			o.figures["begun or done twice"]++
			o.found("wrong answer", "%s: call %d was begun %d times and done %d times (%v)", o.of.name, id, b, d, err)
		case err == nil && d == 1:
			o.figures["done once, and said so"]++
		case err == nil && o.of.kills && o.noted[id]: // with a child that had been given it
			o.figures["notifications that ended with their child"]++
		case err == nil:
			o.found("wrong answer", "%s: call %d has succeeded, and was done %d times", o.of.name, id, d)
		case errors.Is(err, viaduct.ErrNotBegun) && b == 0:
			o.figures["never begun, and said so"]++
		case errors.Is(err, viaduct.ErrNotBegun):
			o.found("wrong answer", "%s: call %d was not begun, says its error (%v), and was", o.of.name, id, err)
		case !o.of.kills:
			o.found("wrong answer", "%s: call %d was begun %d times, and is lost without a kill: %v", o.of.name, id, b, err)
		case !known(err):
			o.found("unknown error", "%s: %T: %v", o.of.name, err, err)
		default:
			o.figures["ended with their child"]++
		}
	}
	for id := range began {
		if _, ok := o.outcomes[id]; !ok {
			o.found("wrong answer", "%s: call %d was begun, and nobody has made it", o.of.name, id)
		}
	}
}
