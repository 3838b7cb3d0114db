package rpcpipe_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"net/http/httptest"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Seen is a service to look at.
type Seen struct{ release chan struct{} }

// SeenArgs has a context.
type SeenArgs struct {
	viaduct.Caller
	N int
}

func (s *Seen) Add(a int, reply *int) error  { *reply = a + 1; return nil }
func (s *Seen) Fail(a int, reply *int) error { return errSeen }
func (s *Seen) Wait(a SeenArgs, reply *int) error {
	select {
	case <-s.release:
	case <-a.Context().Done():
	}
	return nil
}

var errSeen = rpc.ServerError("it has secrets")

func seenServer(t testing.TB) (*rpc.Server, *Seen) {
	seen := &Seen{make(chan struct{})}
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("Seen", seen))
	return server, seen
}

// debugView is what the page says as JSON, as far as tests look at it.
type debugView struct {
	Version int
	Pid     int
	Peers   []struct {
		Peer, Kind, Name, Supervisor, State string
		Pid                                 int
		Methods                             []struct {
			Method, Direction string
			Ended, Failed     uint64
			Running           int
		}
		Pending, Running []struct {
			Method       string
			Notification bool
			Age          float64 `json:"age_seconds"`
		}
	}
	Supervisors []struct{ Supervisor, Pool, State string }
	Pools       []struct {
		Pool string
		Up   int
	}
	Exits []struct {
		Peer, Text, Crash string
		Pid               int
		Orderly           bool
	}
}

func debugGet(t *testing.T, target string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", target, nil)
	r.Host = "localhost:6060"
	rpcpipe.DebugHandler(nil).ServeHTTP(w, r)
	require.Equal(t, 200, w.Code, w.Body.String())
	return w.Body.String()
}

func debugSnapshot(t *testing.T) (s debugView) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(debugGet(t, "/json")), &s))
	return s
}

// TestMethodStats: calls of both sides are counted by their methods, over fake time.
func TestMethodStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, seen := seenServer(t)
		a, b := rpcpipe.Pair(&rpcpipe.Options{MethodStats: true}, &rpcpipe.Options{Server: server, MethodStats: true})
		defer b.Wait()
		defer a.Close()
		var reply int
		for range 5 {
			require.NoError(t, a.Call("Seen.Add", 1, &reply))
		}
		require.Error(t, a.Call("Seen.Fail", 1, &reply))
		require.Error(t, a.Client().Call("Seen.Fail", 1, &reply))
		require.Error(t, (<-a.Go("Seen.Fail", 1, &reply, nil).Done).Error)
		require.Error(t, a.Call("Seen.Gone", 1, &reply))
		require.Error(t, a.Call("Seen.Gone"+strings.Repeat("x", 300), 1, &reply))
		require.NoError(t, a.Notify(t.Context(), "Seen.Add", 1))
		require.NoError(t, a.Sync(t.Context()))

		waiting := a.Go("Seen.Wait", SeenArgs{}, &reply, nil)
		time.Sleep(2 * time.Second)
		close(seen.release)
		require.NoError(t, (<-waiting.Done).Error)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		seen.release = make(chan struct{})
		require.Error(t, a.CallContext(ctx, "Seen.Wait", SeenArgs{}, &reply))
		synctest.Wait()

		made := a.MethodStats()
		var names []string
		for _, m := range made {
			require.False(t, m.Served)
			names = append(names, m.Method)
		}
		require.Equal(t, []string{"Seen.Add", "Seen.Fail", "Seen.Gone", "Seen.Gone" + strings.Repeat("x", 119), "Seen.Wait"}, names)
		add, fail, wait := made[0], made[1], made[4]
		require.EqualValues(t, 5, add.Ended)
		require.EqualValues(t, 1, add.Notifications)
		require.Zero(t, add.Failed)
		require.EqualValues(t, 3, fail.Ended)
		require.EqualValues(t, 3, fail.Failed)
		require.EqualValues(t, 2, wait.Ended)
		require.EqualValues(t, 1, wait.Failed, "which was given up")
		require.Equal(t, time.Minute, wait.Took.Max)
		require.Equal(t, time.Minute+2*time.Second, wait.Total)

		served := b.MethodStats()
		names = nil
		for _, m := range served {
			require.True(t, m.Served)
			names = append(names, m.Method)
		}
		require.Equal(t, []string{"(unknown)", "Seen.Add", "Seen.Fail", "Seen.Wait"}, names)
		require.EqualValues(t, 2, served[0].Failed)
		require.EqualValues(t, 6, served[1].Ended)
		require.EqualValues(t, 1, served[1].Notifications)
		require.EqualValues(t, 3, served[2].Failed)
		require.EqualValues(t, 2, served[3].Ended)
		require.EqualValues(t, 1, served[3].Failed)
		require.Equal(t, time.Minute, served[3].Took.Max)
	})
}

// TestPageFindsStuckCall: a call that does not end is found by its age, on the side that calls and on
// the side that serves; what has ended is not kept.
func TestPageFindsStuckCall(t *testing.T) {
	debugGet(t, "/")
	synctest.Test(t, func(t *testing.T) {
		server, seen := seenServer(t)
		a, b := rpcpipe.Pair(&rpcpipe.Options{Name: "finder"}, &rpcpipe.Options{Name: "stuck", Server: server})
		stuck := a.Go("Seen.Wait", SeenArgs{}, nil, nil)
		time.Sleep(time.Minute)
		note := a.Notify(t.Context(), "Seen.Wait", SeenArgs{})
		require.NoError(t, note)
		time.Sleep(15 * time.Second)
		for _, p := range debugSnapshot(t).Peers {
			switch p.Peer {
			case "stuck": // a, as the other side is called so
				require.Len(t, p.Pending, 1)
				require.Equal(t, "Seen.Wait", p.Pending[0].Method)
				require.Equal(t, 75.0, p.Pending[0].Age)
				require.Empty(t, p.Running)
			case "finder":
				require.Len(t, p.Running, 2)
				require.Equal(t, 75.0, p.Running[0].Age)
				require.False(t, p.Running[0].Notification)
				require.Equal(t, 15.0, p.Running[1].Age)
				require.True(t, p.Running[1].Notification)
			}
		}
		text := debugGet(t, "/?peer=stuck")
		require.Contains(t, text, "1 min 15 s")
		require.Contains(t, text, "Seen.Wait")
		require.NotContains(t, text, "finder</a></td>")
		close(seen.release)
		require.NoError(t, (<-stuck.Done).Error)
		require.NoError(t, a.Close())
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
		for _, p := range debugSnapshot(t).Peers {
			require.NotContains(t, []string{"stuck", "finder"}, p.Peer)
		}
	})
}

// TestPageShowsNoContents: neither arguments nor what a method has failed with.
func TestPageShowsNoContents(t *testing.T) {
	server, _ := seenServer(t)
	a, b := rpcpipe.Pair(&rpcpipe.Options{MethodStats: true}, &rpcpipe.Options{Server: server})
	defer b.Wait()
	defer a.Close()
	require.ErrorContains(t, a.Call("Seen.Fail", 1, nil), "secrets")
	for _, target := range []string{"/", "/json", "/metrics"} {
		text := debugGet(t, target)
		require.Contains(t, text, "Seen.Fail")
		require.NotContains(t, text, "secrets")
	}
}

func init() {
	children["seen"] = func([]string) {
		server := rpc.NewServer()
		server.RegisterName("Seen", &Seen{make(chan struct{})})
		server.RegisterName("Dies", Dies{})
		server.RegisterName("Tells", Tells{})
		connect(&rpcpipe.Options{Name: "seen", Server: server}).Wait()
	}
}

// Tells tells the other side that it runs.
type Tells struct{}

func (Tells) Wait(a SeenArgs, reply *int) error {
	if err := rpcpipe.FromContext(a.Context()).CallContext(a.Context(), "Arrived.Here", 1, nil); err != nil {
		return err
	}
	<-a.Context().Done()
	return nil
}

// Arrived is told.
type Arrived chan struct{}

func (a Arrived) Here(n int, reply *int) error { a <- struct{}{}; return nil }

// Dies ends its process.
type Dies struct{}

func (Dies) Crash(a int, reply *int) error { panic("the end of it") }

// TestPageShowsChildren: real children with their Supervisor and Pool, a stuck call of one, and the
// crash of another.
func TestPageShowsChildren(t *testing.T) {
	debugGet(t, "/")
	arrived := make(Arrived, 1)
	server := rpc.NewServer()
	require.NoError(t, server.Register(arrived))
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command(os.Args[0], "seen"), nil }
	s, err := rpcpipe.Supervise(t.Context(), command, &rpcpipe.SuperviseOptions{
		Name: "watched", Restart: rpcpipe.Restart{Min: time.Millisecond},
	})
	require.NoError(t, err)
	defer s.Close()
	pool, err := rpcpipe.NewPool(t.Context(), command, &rpcpipe.PoolOptions{
		Size: 1, Supervise: &rpcpipe.SuperviseOptions{Name: "crew", Peer: &rpcpipe.Options{Server: server}},
	})
	require.NoError(t, err)
	defer pool.Close()
	first := s.Stats().Pid
	require.Error(t, s.CallContext(t.Context(), "Dies.Crash", 1, nil))
	require.NoError(t, s.CallContext(t.Context(), "Seen.Add", 1, new(int)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- pool.CallContext(ctx, "Tells.Wait", SeenArgs{}, nil) }()
	select {
	case <-arrived: // it runs in the child
	case err := <-done:
		t.Fatal(err)
	}
	require.Contains(t, debugGet(t, "/?peer=crew[0]"), "Tells.Wait")
	snap := debugSnapshot(t)
	require.Equal(t, os.Getpid(), snap.Pid)
	kinds := map[string]string{}
	for _, p := range snap.Peers {
		kinds[p.Peer] = p.Kind
		if p.Peer == "crew[0]" {
			require.Equal(t, "Tells.Wait", p.Pending[0].Method)
			require.Equal(t, "seen", p.Name)
		}
		if p.Supervisor == "watched" {
			require.Equal(t, s.Stats().Pid, p.Pid)
		}
	}
	require.Equal(t, "child", kinds["watched"])
	require.Equal(t, "child", kinds["crew[0]"])
	pools := map[string]string{}
	for _, x := range snap.Supervisors {
		pools[x.Supervisor] = x.Pool
	}
	require.Contains(t, pools, "watched")
	require.Equal(t, "crew", pools["crew[0]"])
	var died bool
	for _, e := range snap.Exits {
		if e.Pid == first {
			died = true
			require.Equal(t, "watched", e.Peer)
			require.False(t, e.Orderly)
			require.Contains(t, e.Text, "the end of it")
			require.Contains(t, e.Crash, "goroutine")
		}
	}
	require.True(t, died)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, s.Close())
	require.NoError(t, s.Wait())
	require.NoError(t, pool.Close())
	require.NoError(t, pool.Wait())
	snap = debugSnapshot(t)
	for _, p := range snap.Peers {
		require.NotContains(t, []string{"watched", "crew"}, p.Supervisor)
	}
	for _, x := range snap.Supervisors {
		require.NotContains(t, []string{"watched", "crew[0]"}, x.Supervisor)
	}
	for _, x := range snap.Pools {
		require.NotEqual(t, "crew", x.Pool)
	}
}

// TestPageExits: a child that could not be started is among the exits, and there are not more than
// so many; those that died stay longest.
func TestPageExits(t *testing.T) {
	_, err := rpcpipe.Start(t.Context(), exec.Command("viaduct-there-is-no-such-program"), nil)
	require.Error(t, err)
	for range 40 {
		a, b := rpcpipe.Pair(nil, nil)
		a.Close()
		a.Wait()
		b.Wait()
	}
	snap := debugSnapshot(t)
	require.Len(t, snap.Exits, 16)
	require.True(t, snap.Exits[0].Orderly)
	var texts []string
	for _, e := range snap.Exits {
		texts = append(texts, e.Text)
	}
	assert.Contains(t, strings.Join(texts, "\n"), "viaduct-there-is-no-such-program")
}

// TestVars: one call publishes it all, and this package does not register expvar's handler itself.
func TestVars(t *testing.T) {
	if expvar.Get("viaduct") == nil { // with -count
		expvar.Publish("viaduct", rpcpipe.Vars())
	}
	var s debugView
	require.NoError(t, json.Unmarshal([]byte(expvar.Get("viaduct").String()), &s))
	require.Equal(t, 1, s.Version)
	require.Equal(t, os.Getpid(), s.Pid)
}

// TestDebugFirstCallStuck: a method whose first call does not end is among the methods.
func TestDebugFirstCallStuck(t *testing.T) {
	server, seen := seenServer(t)
	a, b := rpcpipe.Pair(&rpcpipe.Options{MethodStats: true}, &rpcpipe.Options{Name: "stuck", Server: server, MethodStats: true})
	defer b.Wait()
	defer a.Close()
	call := a.Go("Seen.Wait", SeenArgs{}, new(int), nil)
	require.NoError(t, a.Call("Seen.Add", 1, new(int)))
	running := map[string]int{}
	for b.Stats().Served.Running == 0 { // it is on its way
		runtime.Gosched()
	}
	for _, p := range debugSnapshot(t).Peers {
		for _, m := range p.Methods {
			if m.Method == "Seen.Wait" {
				running[m.Direction] += m.Running
			}
		}
	}
	require.Equal(t, map[string]int{"made": 1, "served": 1}, running)
	close(seen.release)
	<-call.Done
}

// TestLabelsDiffer: no name that another side gives itself takes the place of somebody else's. Only
// its own peers count: those of a test before may still be on their way out of the table.
func TestLabelsDiffer(t *testing.T) {
	own := func() (labels []string) {
		for _, p := range debugSnapshot(t).Peers {
			if strings.HasPrefix(p.Peer, "evil") {
				labels = append(labels, p.Peer)
			}
		}
		return labels
	}
	var peers []*rpcpipe.Peer
	for i := range 8 {
		name := "evil"
		if i%2 == 0 {
			name = fmt.Sprintf("evil#%d", i)
		}
		a, b := rpcpipe.Pair(&rpcpipe.Options{Name: name}, &rpcpipe.Options{Name: name})
		peers = append(peers, a, b)
	}
	labels := own()
	require.Len(t, labels, len(peers))
	slices.Sort(labels)
	require.Len(t, slices.Compact(labels), len(peers))
	for _, p := range peers {
		p.Close()
	}
	for _, p := range peers {
		p.Wait()
	}
	require.Empty(t, own())
}
