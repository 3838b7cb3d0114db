package contender

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

func TestMain(m *testing.M) {
	if IsChild() {
		if err := Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// With the race detector a program sleeps for 1 s when it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	if err := lifeline.Hold(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// each runs a test with a child of each contender.
func each(t *testing.T, opts work.Options, test func(t *testing.T, p work.Peer)) {
	for _, c := range All {
		t.Run(c.Name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "b") // the path of a socket may be no longer than 100 bytes or so
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			t.Setenv("TMPDIR", dir)
			p, err := c.Start(t.Context(), os.Args[0], opts)
			require.NoError(t, err)
			test(t, p)
			require.NoError(t, p.Close())
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left, "of sockets")
		})
	}
}

// can returns the peer as one that can do more, and skips the test if it cannot.
func can[T any](t *testing.T, p work.Peer) T {
	more, ok := p.(T)
	if !ok {
		require.NoError(t, p.Close())
		t.Skipf("%T is no %T", p, &more)
	}
	return more
}

func TestAdd(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		for _, c := range [][2]int{{0, 0}, {20, 22}, {-5, 3}, {1 << 40, 1}} {
			sum, err := p.Add(c[0], c[1])
			require.NoError(t, err)
			require.Equal(t, c[0]+c[1], sum)
		}
		var running sync.WaitGroup
		for i := range 100 {
			running.Go(func() {
				for k := range 10 {
					assert.NoError(t, work.Add(p, i, k))
				}
			})
		}
		running.Wait()
	})
}

func TestEcho(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		e := can[work.Echoer](t, p)
		for _, size := range []int{1, 4 << 10, 64 << 10, 1<<20 + 1, 3 << 20} {
			list := work.NewBytes(size)
			back, err := e.Echo(list)
			require.NoError(t, err)
			require.True(t, string(back) == string(list), "%d bytes", size)
		}
		if b, ok := p.(work.Bulker); ok {
			for i := range 4 {
				e, err := b.Bulk(i / 2)
				require.NoError(t, err)
				require.NoError(t, work.Echo(e, work.NewBytes(100)))
			}
		}
	})
}

func TestUpdate(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		u := can[work.Updater](t, p)
		r := work.NewRecord()
		back, err := u.Update(r)
		require.NoError(t, err)
		r.Age++
		require.Equal(t, r, back)
	})
}

func TestEchoFloats(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		e := can[work.FloatsEchoer](t, p)
		list := work.NewFloats(100_000)
		back, err := e.EchoFloats(list)
		require.NoError(t, err)
		require.Equal(t, list, back)
	})
}

func TestCallBack(t *testing.T) {
	each(t, work.Options{CallBack: true}, func(t *testing.T, p work.Peer) {
		c := can[work.CallBacker](t, p)
		if t.Name() == "TestCallBack/gob" && runtime.GOOS == "windows" {
			t.Skip("one link")
		}
		for range 2 {
			var there int
			var err error
			var running sync.WaitGroup
			running.Go(func() { there, err = c.CallBack(4, 20*time.Millisecond) })
			here, hereErr := work.Drive(p, 4, 20*time.Millisecond)
			running.Wait()
			require.NoError(t, hereErr)
			require.NoError(t, err)
			require.GreaterOrEqual(t, here, 4)
			require.GreaterOrEqual(t, there, 4)
		}
	})
}

func TestPour(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		s := can[work.Pourer](t, p)
		for range 3 {
			require.NoError(t, s.Pour(1<<20, 32<<10))
			require.NoError(t, s.Pour(100_001, 64<<10))
			require.NoError(t, work.Add(p, 1, 2))
		}
	})
}

func TestNotify(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		n := can[work.Notifier](t, p)
		for range 3 {
			require.NoError(t, n.Notify(3000))
		}
		require.NoError(t, n.Notify(1))
	})
}

func TestUsage(t *testing.T) {
	each(t, work.Options{}, func(t *testing.T, p work.Peer) {
		before, err := p.Usage(false)
		require.NoError(t, err)
		require.Positive(t, before.CPU)
		require.Zero(t, before.Heap)
		_, err = work.Drive(p, 4, 100*time.Millisecond)
		require.NoError(t, err)
		after, err := p.Usage(true)
		require.NoError(t, err)
		require.Greater(t, after.CPU, before.CPU)
		require.Greater(t, after.Heap, int64(100<<10))
		if runtime.GOOS == "linux" {
			require.Greater(t, after.Anonymous, int64(100<<10))
			require.Greater(t, after.Proportional, after.Anonymous/2)
		}
	})
}

// TestKilled: when a child is gone calls fail, and do not hang.
func TestKilled(t *testing.T) {
	for _, c := range All {
		t.Run(c.Name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "b") // for sockets that are left behind
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			t.Setenv("TMPDIR", dir)
			ctx, cancel := context.WithCancel(t.Context())
			p, err := c.Start(ctx, os.Args[0], work.Options{})
			require.NoError(t, err)
			require.NoError(t, work.Add(p, 1, 2))
			time.AfterFunc(20*time.Millisecond, cancel)
			_, err = work.Drive(p, 4, time.Minute)
			require.Error(t, err)
			p.Close()
		})
	}
}

func TestByName(t *testing.T) {
	c, err := ByName("gob")
	require.NoError(t, err)
	require.Equal(t, "gob", c.Name)
	_, err = ByName("gop")
	require.ErrorContains(t, err, `no contender "gop"`)
	require.ErrorContains(t, err, "bare, viaduct, ")
}
