package rpcpipe_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
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

// Labour is what the "labour" child serves.
type Labour struct{}

var hoard [][]byte

// Hoard keeps n bytes more, and says which process does.
func (Labour) Hoard(n int, pid *int) error {
	kept := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		kept[i] = 1
	}
	hoard = append(hoard, kept)
	*pid = os.Getpid()
	return nil
}

// Overeat takes n bytes and waits for what comes of it.
func (Labour) Overeat(n int, _ *int) error {
	Labour{}.Hoard(n, new(int))
	select {}
}

// Spin computes for ever.
func (Labour) Spin(int, *int) error {
	for n := 0; ; n++ {
		spun.Store(int64(n))
	}
}

var spun atomic.Int64

func (Labour) Pid(_ int, pid *int) error {
	*pid = os.Getpid()
	return nil
}

// Threads says how many threads the process computes with.
func (Labour) Threads(_ int, n *int) error {
	*n = runtime.GOMAXPROCS(0)
	return nil
}

// Exit ends the process.
func (Labour) Exit(status int, _ *int) error {
	os.Exit(status)
	return nil
}

// Panic ends it as well, with an answer.
func (Labour) Panic(int, *int) error { panic("no more") }

func init() {
	children["labour"] = func([]string) {
		rpc.Register(Labour{})
		connect(nil).Wait()
	}
}

func init() {
	children["narrow"] = func([]string) { // handles one call at a time, and no other one may wait
		rpc.Register(Labour{})
		connect(&rpcpipe.Options{MaxHandlers: 1, MaxWaiting: -1}).Wait()
	}
}

func labour(rpcpipe.Incarnation) (*exec.Cmd, error) { return procspawn.Self("labour"), nil }

// labourPool makes a Pool of them, of which nothing is to be left.
func labourPool(t *testing.T, o *rpcpipe.PoolOptions) *rpcpipe.Pool {
	t.Helper()
	testkit.NoneLeft(t)
	before := snapshot()
	p, err := rpcpipe.NewPool(t.Context(), labour, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, p.Wait())
		requireNoZombies(t)
		before.requireSame(t)
	})
	return p
}

// TestPoolKills: under load, children are killed at random moments. Every job is done, or fails with
// an error that names it and says why, none is run twice that may not be, and nothing is left.
func TestPoolKills(t *testing.T) {
	for _, attempts := range []int{1, 3} {
		t.Run(strconv.Itoa(attempts), func(t *testing.T) { testPoolKills(t, attempts) })
	}
}

func testPoolKills(t *testing.T, attempts int) {
	testkit.NoneLeft(t)
	before := snapshot()
	file := newLedger(t)
	kills := *superviseKills / 2
	if raceEnabled {
		kills /= 2
	}
	p, err := rpcpipe.NewPool(t.Context(), ledger(file), &rpcpipe.PoolOptions{
		Size: 3, MaxSize: 5, Attempts: attempts, IdleTimeout: 20 * time.Millisecond, RecycleJobs: 200,
		Supervise: &rpcpipe.SuperviseOptions{
			Restart: rpcpipe.Restart{Min: time.Millisecond, Max: time.Millisecond, Limit: 1e9},
			Events: func(e rpcpipe.Event) {
				if e.Kind == rpcpipe.EventStarted && e.Incarnation.N > 1 && rand.N(5) == 0 { // before it is ready
					e.Peer.Process().Kill()
				}
			},
		},
	})
	require.NoError(t, err)
	adds := &fates{errs: make(map[int]error)}
	stop, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			adds.call(stop, func(id int) error { return p.Call("Ledger.Add", id, new(int)) })
		})
		load.Go(func() {
			adds.call(stop, func(id int) error { return (<-p.Go("Ledger.Add", id, new(int), nil).Done).Error })
		})
	}
	load.Go(func() {
		ids := func(yield func(int) bool) {
			for stop.Err() == nil && yield(int(adds.next.Add(1))) {
			}
		}
		for job, err := range rpcpipe.Map[int](t.Context(), p, "Ledger.Add", ids, nil) {
			if err == nil && job.Reply != job.Arg {
				t.Errorf("%d was answered by %d", job.Arg, job.Reply)
			}
			adds.mu.Lock()
			adds.errs[job.Arg] = err
			adds.mu.Unlock()
		}
	})
	for range kills {
		s := p.Stats()
		w := s.Workers[rand.N(len(s.Workers))]
		if process, err := os.FindProcess(w.Child.Pid); err == nil && w.Child.Pid != 0 {
			process.Kill()
			process.Release()
		}
		<-time.After(rand.N(10 * time.Millisecond))
	}
	end()
	load.Wait()
	if err := p.Shutdown(t.Context()); err != nil { // the last child that was killed was so just now
		require.ErrorAs(t, err, new(*procspawn.Exit))
	}
	require.NoError(t, p.Wait())

	times := readLedger(t, file)
	counts := make(map[string]int)
	for id, err := range adds.errs {
		ran := times[id]
		if err == nil {
			require.LessOrEqual(t, ran, attempts)
			require.Positive(t, ran)
			counts["done"]++
			continue
		}
		var job *rpcpipe.JobError
		require.ErrorAs(t, err, &job)
		require.Equal(t, "Ledger.Add", job.Method)
		require.LessOrEqual(t, ran, job.Attempts, "%v", err)
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.ErrorAs(t, err, new(*viaduct.DownError))
		require.Equal(t, job.Attempts == 0, errors.Is(err, viaduct.ErrNotBegun))
		require.NotNil(t, job.Exit, "%v", err)
		counts["lost"]++
	}
	s := p.Stats()
	t.Logf("%d kills: %v, %d lost, %d repeated, %d recycled", kills, counts, s.Lost, s.Repeated, s.Recycled)
	require.Greater(t, counts["done"], kills)
	require.EqualValues(t, len(adds.errs), s.Jobs)
	requireNoZombies(t)
	before.requireSame(t)
}

// TestPoolPoison: what a job does to its child costs no other job anything.
func TestPoolPoison(t *testing.T) {
	p := labourPool(t, &rpcpipe.PoolOptions{Size: 3})
	jobs := 300
	if raceEnabled {
		jobs = 60
	}
	args := slices.Repeat([]int{0, 0, 0, 3}, jobs/4)
	failed := 0
	methods := map[int]string{0: "Labour.Pid", 3: "Labour.Exit"}
	var running sync.WaitGroup
	var mu sync.Mutex
	for _, arg := range args {
		running.Go(func() {
			err := p.Call(methods[arg], arg, new(int))
			if arg == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var job *rpcpipe.JobError
			if !errors.As(err, &job) || job.Exit == nil || job.Exit.Code != 3 {
				t.Errorf("a job has ended with %v", err)
			}
			mu.Lock()
			failed++
			mu.Unlock()
		})
	}
	running.Wait()
	require.Equal(t, len(args)/4, failed)
	require.EqualValues(t, failed, p.Stats().Lost)
}

// TestPoolOverload: a job that its child refuses says so, and that nobody has begun it.
func TestPoolOverload(t *testing.T) {
	p, err := rpcpipe.NewPool(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		return procspawn.Self("narrow"), nil
	}, &rpcpipe.PoolOptions{Size: 1, Concurrency: 2})
	require.NoError(t, err)
	defer p.Close()
	done := make(chan *rpc.Call, 2)
	for range 2 { // one of them runs
		p.Go("Labour.Spin", 0, nil, done)
	}
	err = (<-done).Error
	require.ErrorIs(t, err, viaduct.ErrOverload)
	require.ErrorIs(t, err, viaduct.ErrNotBegun)
	var job *rpcpipe.JobError
	require.ErrorAs(t, err, &job)
	require.Equal(t, "worker[0]", job.Worker)
	require.Zero(t, job.Attempts)
	require.EqualValues(t, 1, p.Stats().Failed)
}

// TestPoolStuck: a method that goes on when its job was given up ends with its process.
func TestPoolStuck(t *testing.T) {
	p := labourPool(t, &rpcpipe.PoolOptions{Size: 1, Timeout: 50 * time.Millisecond, GiveUpTime: 50 * time.Millisecond})
	var before, after int
	require.NoError(t, p.Call("Labour.Pid", 0, &before))
	err := p.Call("Labour.Spin", 0, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, p.Call("Labour.Pid", 0, &after))
	require.NotEqual(t, before, after)
	require.EqualValues(t, 1, p.Stats().Killed)
}

// TestPoolRecycleMemory: a child that has grown too large is replaced.
func TestPoolRecycleMemory(t *testing.T) {
	if !slices.Contains([]string{"linux", "darwin", "windows"}, runtime.GOOS) {
		t.Skip("the memory of a process is not known here")
	}
	p := labourPool(t, &rpcpipe.PoolOptions{Size: 1, RecycleMemory: 200 << 20})
	pids := make(map[int]int)
	for len(pids) < 3 {
		pid := 0
		require.NoError(t, p.Call("Labour.Hoard", 20<<20, &pid))
		pids[pid]++
		require.LessOrEqual(t, pids[pid], 60, "it has far more than that by now")
		<-time.After(11 * time.Millisecond) // it is not looked at more often
	}
	require.GreaterOrEqual(t, p.Stats().Recycled, uint64(2))
}

// TestPoolThreads: a child computes with its part of the processors, unless somebody has said
// otherwise.
func TestPoolThreads(t *testing.T) {
	if os.Getenv("GOMAXPROCS") != "" {
		t.Skip("GOMAXPROCS is set for this test")
	}
	for size, want := range map[int]int{1: runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(0): 1, 4 * runtime.GOMAXPROCS(0): 1} {
		p, err := rpcpipe.NewPool(t.Context(), labour, &rpcpipe.PoolOptions{Size: 1, MaxSize: size})
		require.NoError(t, err)
		n := 0
		require.NoError(t, p.Call("Labour.Threads", 0, &n))
		require.Equal(t, want, n)
		require.NoError(t, p.Close())
	}
	p, err := rpcpipe.NewPool(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		cmd := procspawn.Self("labour")
		cmd.Env = append(os.Environ(), "GOMAXPROCS=7")
		return cmd, nil
	}, nil)
	require.NoError(t, err)
	defer p.Close()
	n := 0
	require.NoError(t, p.Call("Labour.Threads", 0, &n))
	require.Equal(t, 7, n)
}

// TestPoolThreadsAndEnv: the same is true where Options.Env keeps the environment from the children.
func TestPoolThreadsAndEnv(t *testing.T) {
	t.Setenv("GOMAXPROCS", "5")
	size := 2 * runtime.GOMAXPROCS(0)
	for _, test := range []struct {
		env  []string
		want int
	}{{[]string{}, 1}, {[]string{"GORACE"}, 1}, {[]string{"GOMAXPROCS"}, 5}, {[]string{"GO*"}, 5}, {[]string{"GOMAXPROCS=3"}, 3}} {
		p, err := rpcpipe.NewPool(t.Context(), labour, &rpcpipe.PoolOptions{
			Size: 1, MaxSize: size,
			Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Env: test.env}},
		})
		require.NoError(t, err)
		n := 0
		require.NoError(t, p.Call("Labour.Threads", 0, &n))
		require.Equal(t, test.want, n, "Env %q", test.env)
		require.NoError(t, p.Close())
	}
}

// TestPoolStderr: the lines of all children come whole, with their names.
func TestPoolStderr(t *testing.T) {
	out := new(safeBuffer)
	p, err := rpcpipe.NewPool(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		return procspawn.Self("chatty"), nil
	}, &rpcpipe.PoolOptions{Size: 3, Supervise: &rpcpipe.SuperviseOptions{Name: "c", Stderr: out}})
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
	for i := range 3 {
		require.Contains(t, out.String(), "c["+strconv.Itoa(i)+"]: end\n")
	}
	require.Len(t, slices.Collect(func(yield func(struct{}) bool) {
		for _, b := range out.String() {
			if b == '\n' && !yield(struct{}{}) {
				return
			}
		}
	}), 3*5)
}

// TestPoolShutdownDying: a job that has ended its child has said so, Shutdown need not.
func TestPoolShutdownDying(t *testing.T) {
	for _, method := range []string{"Labour.Exit", "Labour.Panic"} {
		for range 10 {
			p, err := rpcpipe.NewPool(t.Context(), labour, &rpcpipe.PoolOptions{Size: 2})
			require.NoError(t, err)
			require.Error(t, p.Call(method, 3, nil))
			require.NoError(t, p.Shutdown(t.Context()), method)
			require.NoError(t, p.Wait())
		}
	}
}
