package rpcpipe_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var (
	superviseKills = flag.Int("supervise.kills", 60, "how many children TestRandomKills kills")
	superviseSwaps = flag.Int("supervise.swaps", 40, "how many swaps TestSwapsUnderLoad makes")
)

// Ledger is what supervised children serve: each call leaves a line in a file that all of them
// append to.
type Ledger struct{ out *os.File }

func (l Ledger) Add(id int, reply *int) error {
	*reply = id
	// A kill may end a write where a page of the file ends: with 16 bytes none has a page end in it.
	_, err := fmt.Fprintf(l.out, "%15d\n", id)
	return err
}

// Set is a method that may be run again.
func (l Ledger) Set(id int, reply *int) error { return l.Add(id, reply) }

// AddSlowly takes a while.
func (l Ledger) AddSlowly(id int, reply *int) error {
	time.Sleep(20 * time.Millisecond)
	return l.Add(id, reply)
}

// Park never returns.
func (l Ledger) Park(int, *int) error { select {} }

// Exit ends the process with a status.
func (l Ledger) Exit(status int, _ *int) error {
	fmt.Fprintln(os.Stderr, "exit", status)
	fmt.Fprint(os.Stderr, "now")
	os.Exit(status)
	return nil
}

func init() {
	children["ledger"] = func(args []string) {
		var l Ledger
		if len(args) > 0 {
			out, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
			if err != nil {
				panic(err)
			}
			l.out = out
		}
		rpc.Register(l)
		connect(&rpcpipe.Options{Name: "ledger"}).Wait()
	}
}

// newLedger names a file that children append to.
func newLedger(t *testing.T) string {
	if runtime.GOOS == "windows" {
		t.Skip("several processes cannot append to a file there without writing over each other's lines")
	}
	return filepath.Join(t.TempDir(), "ledger")
}

// ledger is the command function of children that append to a file.
func ledger(file string) func(rpcpipe.Incarnation) (*exec.Cmd, error) {
	return func(rpcpipe.Incarnation) (*exec.Cmd, error) { return procspawn.Self("ledger", file), nil }
}

// readLedger counts how often each id is in the file.
func readLedger(t *testing.T, file string) map[int]int {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	times := make(map[int]int)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		id, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		require.NoError(t, err)
		times[id]++
	}
	return times
}

// fates are what became of the calls of a test.
type fates struct {
	next atomic.Int64

	mu   sync.Mutex
	errs map[int]error // by id
}

// call makes calls until stop ends, and notes what became of them.
func (f *fates) call(stop context.Context, call func(id int) error) {
	for stop.Err() == nil {
		id := int(f.next.Add(1))
		err := call(id)
		f.mu.Lock()
		f.errs[id] = err
		f.mu.Unlock()
	}
}

// TestRandomKills: under load, children are killed at random moments. Every call is answered, or
// fails with an error that says why, none is run twice that may not be, and nothing is left.
func TestRandomKills(t *testing.T) {
	testkit.NoneLeft(t)
	before := snapshot()
	file := newLedger(t)
	kills := *superviseKills
	if raceEnabled {
		kills /= 2
	}
	const supervisors = 3
	adds := &fates{errs: make(map[int]error)}
	sets := &fates{errs: make(map[int]error)}
	sets.next.Store(1e9)
	var all, load sync.WaitGroup
	var killed, repeated atomic.Int64
	stop, end := context.WithCancel(t.Context())
	for range supervisors {
		all.Go(func() {
			s, err := rpcpipe.Supervise(t.Context(), ledger(file), &rpcpipe.SuperviseOptions{
				Restart:    rpcpipe.Restart{Min: time.Millisecond, Max: time.Millisecond, Limit: math.MaxInt},
				Idempotent: func(method string) bool { return method == "Ledger.Set" },
				Events: func(e rpcpipe.Event) {
					if e.Kind == rpcpipe.EventStarted && e.Incarnation.N > 1 && rand.N(5) == 0 { // before it is ready
						e.Peer.Process().Kill()
					}
				},
			})
			if err != nil {
				t.Error(err)
				return
			}
			client := s.Client()
			for range 4 {
				load.Go(func() {
					adds.call(stop, func(id int) error { return s.Call("Ledger.Add", id, new(int)) })
				})
				load.Go(func() {
					sets.call(stop, func(id int) error { return s.Call("Ledger.Set", id, new(int)) })
				})
				load.Go(func() {
					sets.call(stop, func(id int) error { return (<-s.Go("Ledger.Set", id, new(int), nil).Done).Error })
				})
			}
			load.Go(func() {
				adds.call(stop, func(id int) error { return client.Call("Ledger.Add", id, new(int)) })
			})
			for killed.Add(1) <= int64(kills) {
				s.With(t.Context(), func(ctx context.Context, p *rpcpipe.Peer) error {
					select {
					case <-time.After(rand.N(15 * time.Millisecond)):
					case <-ctx.Done():
					}
					p.Process().Kill()
					<-ctx.Done()
					return nil
				})
			}
			end()
			load.Wait()
			repeated.Add(int64(s.Stats().Repeated))
			if rand.N(2) == 0 {
				s.Shutdown(t.Context())
			}
			s.Close()
			if err := s.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	end()

	times := readLedger(t, file)
	counts := make(map[string]int)
	for id, err := range adds.errs {
		ran := times[id]
		switch {
		case err == nil:
			require.Equal(t, 1, ran)
			counts["answered"]++
		case errors.As(err, new(rpc.ServerError)): // a client has no more than texts
			require.LessOrEqual(t, ran, 1, "%v", err)
			counts["client's failed"]++
		case errors.Is(err, viaduct.ErrNotBegun):
			require.Zero(t, ran, "%v", err)
			counts["not begun"]++
		default:
			require.LessOrEqual(t, ran, 1, "%v", err)
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.ErrorAs(t, err, new(*viaduct.DownError))
			counts["failed"]++
		}
	}
	for id, err := range sets.errs {
		if err == nil {
			require.Positive(t, times[id])
			counts["idempotent answered"]++
			continue
		}
		require.ErrorIs(t, err, rpc.ErrShutdown)
		counts["idempotent failed"]++
	}
	t.Logf("%d kills: %v, %d went to one more child", kills, counts, repeated.Load())
	require.Greater(t, counts["answered"], kills)
	requireNoZombies(t)
	before.requireSame(t)
}

// TestSwapsUnderLoad: no call fails because of swaps, and none is run twice.
func TestSwapsUnderLoad(t *testing.T) {
	testkit.NoneLeft(t)
	before := snapshot()
	file := newLedger(t)
	s, err := rpcpipe.Supervise(t.Context(), ledger(file), nil)
	require.NoError(t, err)
	client := s.Client()
	calls := &fates{errs: make(map[int]error)}
	stop, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for _, method := range []string{"Ledger.Add", "Ledger.Add", "Ledger.AddSlowly"} {
		load.Go(func() {
			calls.call(stop, func(id int) error { return s.Call(method, id, nil) })
		})
		load.Go(func() {
			calls.call(stop, func(id int) error { return client.Call(method, id, nil) })
		})
		load.Go(func() {
			calls.call(stop, func(id int) error { return (<-s.Go(method, id, nil, nil).Done).Error })
		})
	}
	swaps := *superviseSwaps
	if raceEnabled {
		swaps /= 2
	}
	begin := time.Now()
	for range swaps {
		require.NoError(t, s.Swap(t.Context(), nil))
	}
	each := time.Since(begin) / time.Duration(swaps)
	end()
	load.Wait()
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, s.Wait())
	times := readLedger(t, file)
	for id, err := range calls.errs {
		require.NoError(t, err)
		require.Equal(t, 1, times[id])
	}
	t.Logf("%d swaps, %d calls, %v a swap, %d calls went to one more child", swaps, len(calls.errs), each, s.Stats().Repeated)
	require.Equal(t, swaps+1, s.Stats().Starts)
	requireNoZombies(t)
	before.requireSame(t)
}
