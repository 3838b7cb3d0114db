package rpcpipe

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/internal/debugpage"
	"github.com/viaduct-go/viaduct/internal/tally"
)

// DebugOptions adjust a [DebugHandler]. Nil and zero fields mean the defaults. They are copied.
type DebugOptions struct {
	// Hosts are names, without a port, by which requests may ask for the page besides localhost,
	// names that end in .localhost, and addresses. Others are refused: a page of another site could
	// have its own name mean this machine, and read what is served here. "*" stands for any; it is
	// for a server that is behind a check of its own. Default: none.
	Hosts []string
}

// DebugHandler returns a handler that shows what the Peers, Supervisors and Pools of this process are
// doing: methods with their rates, errors and latencies, queues, credit, streams, calls that have not
// ended with their age, what has stalled, and how the last children have ended. It is for where
// net/http/pprof's is, a server that others do not reach:
//
//	http.Handle("/debug/viaduct/", rpcpipe.DebugHandler(nil))
//	go http.ListenAndServe("localhost:6060", nil)
//
// The page has no script and loads nothing from elsewhere. With ?format=json, or at a path that ends
// in /json, it is JSON; with ?format=prometheus, or at one that ends in /metrics, text for Prometheus.
// ?peer=name has what is called so alone, and status 404 if nothing is. docs/debugging.md describes them.
//
// It never shows arguments, replies or metadata, nor the errors of methods. It shows names of methods
// and of programs, and of a child that has died what it has said at its end: the end of its stderr, and
// the crash, in which the text of a panic may be; and why a Supervisor has no child, which may be an
// error of SuperviseOptions.Ready or of the command function.
//
// Requests for another host than Hosts allow are refused with status 403, other methods than GET and
// HEAD with 405. From when it is called first the calls of all Peers are counted by their methods: see
// [Peer.MethodStats].
func DebugHandler(o *DebugOptions) http.Handler {
	tally.All.Store(true)
	c := debugpage.Config{Snapshot: snapshot, SetHosts: "rpcpipe.DebugOptions.Hosts"}
	if o != nil {
		c.Hosts = append(c.Hosts, o.Hosts...)
	}
	return debugpage.Handler(c)
}

// Vars returns what [DebugHandler] has as JSON, for package expvar:
//
//	expvar.Publish("viaduct", rpcpipe.Vars())
//
// From when it is called first the calls of all Peers are counted by their methods, too.
func Vars() fmt.Stringer {
	tally.All.Store(true)
	return vars{}
}

type vars struct{}

func (vars) String() string { return snapshot().JSON() }

// mostCalls is how many calls of each kind and Peer a snapshot has.
const mostCalls = 100

// snapshot says what there is now.
func snapshot() *debugpage.Snapshot {
	s := &debugpage.Snapshot{
		Version: debugpage.FormatVersion, Time: time.Now(), Pid: os.Getpid(), Goroutines: runtime.NumGoroutine(),
		Peers: []debugpage.Peer{}, Supervisors: []debugpage.Supervisor{}, Pools: []debugpage.Pool{}, Exits: []debugpage.Exit{},
	}
	if len(os.Args) > 0 {
		s.Program = filepath.Base(os.Args[0])
	}
	peers, supervisors, pools, exits := live.all()
	for _, p := range peers {
		s.Peers = append(s.Peers, p.debug())
	}
	for _, x := range supervisors {
		s.Supervisors = append(s.Supervisors, x.debug())
	}
	for _, p := range pools {
		s.Pools = append(s.Pools, p.debug())
	}
	s.Exits = append(s.Exits, exits...)
	return s
}

func (p *Peer) debug() debugpage.Peer {
	stats := p.Stats()
	d := debugpage.Peer{
		Peer: p.label, Kind: p.kind, Name: p.remote.Name, Version: p.remote.Version, Language: p.remote.Language,
		Pid: p.remote.Pid, Supervisor: p.opts.supervisor, Age: time.Since(p.began).Seconds(), State: "up",
		Made: debugpage.Made(stats.Made), Served: debugpage.Served(stats.Served), Stalls: debugpage.Stalls(stats.Stalls),
		Methods: []debugpage.Method{}, Pending: []debugpage.Call{}, Running: []debugpage.Call{},
	}
	switch {
	case p.endpoint.Err() != nil:
		d.State = "ended"
	case p.endpoint.Ending():
		d.State = "ending"
	}
	if p.process != nil {
		d.Pid = p.process.Pid()
	}
	if p.conn != nil {
		l := stats.Link
		d.Link = &debugpage.Link{
			BytesIn: l.BytesIn, BytesOut: l.BytesOut, SendQueue: l.SendQueue, Senders: l.Senders, Streams: l.Streams,
			RoundTrip:  l.RoundTrip.Seconds(),
			CallCredit: l.CallCredit, ReplyCredit: l.ReplyCredit, NotificationCredit: l.NotificationCredit,
		}
	}
	for _, c := range p.endpoint.Pending() {
		d.Pending = append(d.Pending, debugpage.Call{Method: c.Method, Age: c.For.Seconds()})
	}
	for _, c := range p.endpoint.Running() {
		d.Running = append(d.Running, debugpage.Call{Method: c.Method, Notification: c.Notification, Age: c.For.Seconds()})
	}
	d.Methods = debugMethods(p.MethodStats(), d.Pending, d.Running)
	d.Pending, d.PendingMore = cutCalls(d.Pending)
	d.Running, d.RunningMore = cutCalls(d.Running)
	return d
}

func cutCalls(calls []debugpage.Call) ([]debugpage.Call, int) {
	n := min(len(calls), mostCalls)
	return calls[:n], len(calls) - n
}

// debugMethods has what is going on with what has ended.
func debugMethods(stats []MethodStats, pending, running []debugpage.Call) []debugpage.Method {
	type key struct {
		method string
		served bool
	}
	now := make(map[key]int)
	for _, c := range pending {
		now[key{c.Method, false}]++
	}
	for _, c := range running {
		now[key{c.Method, true}]++
	}
	list := make([]debugpage.Method, 0, len(stats))
	for _, m := range stats {
		key := key{m.Method, m.Served}
		running := now[key]
		delete(now, key)
		d := debugpage.Method{
			Method: m.Method, Direction: debugpage.DirectionMade, Ended: m.Ended, Failed: m.Failed, Notifications: m.Notifications,
			Running: running, Rate: debugpage.RateOf(m.Recent),
			P50: m.Took.P50.Seconds(), P90: m.Took.P90.Seconds(), P99: m.Took.P99.Seconds(), Max: m.Took.Max.Seconds(),
			Total: m.Total.Seconds(), Histogram: m.Histogram, Recent: m.Recent,
		}
		if m.Served {
			d.Direction = debugpage.DirectionServed
		}
		list = append(list, d)
	}
	// Those of which no call has ended yet: the stuck one may be the first.
	for k, n := range now {
		if len(list) == mostMethods {
			break
		}
		d := debugpage.Method{Method: k.method, Direction: debugpage.DirectionMade, Running: n, Histogram: []uint64{}, Recent: make([]uint32, tally.Recent)}
		if k.served {
			d.Direction = debugpage.DirectionServed
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b debugpage.Method) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Method, b.Method))
	})
	return list
}

// mostMethods is how many methods of a Peer a snapshot has.
const mostMethods = 600

func (s *Supervisor) debug() debugpage.Supervisor {
	stats := s.Stats()
	d := debugpage.Supervisor{
		Supervisor: s.label, State: stats.State.String(), Starts: stats.Starts, Restarts: stats.Restarts, Pid: stats.Pid,
		Up: stats.Up.Seconds(), Finishing: stats.Finishing, Waiting: stats.Waiting,
		Repeated: stats.Repeated, LostNotifications: stats.LostNotifications, Took: debugLatency(stats.Took),
	}
	if stats.Err != nil {
		d.Error = stats.Err.Error()
	}
	if w, ok := s.keeper.(*worker); ok {
		d.Pool = w.pool.label
	}
	return d
}

func (p *Pool) debug() debugpage.Pool {
	stats := p.Stats()
	return debugpage.Pool{
		Pool: p.label, Workers: len(stats.Workers), Up: stats.Up, Running: stats.Running, Queue: stats.Queue,
		Jobs: stats.Jobs, Failed: stats.Failed, Lost: stats.Lost, Repeated: stats.Repeated,
		Recycled: stats.Recycled, Killed: stats.Killed, Wait: debugLatency(stats.Wait), Took: debugLatency(stats.Took),
	}
}

func debugLatency(l Latency) debugpage.Latency {
	return debugpage.Latency{
		Count: l.Count, P50: l.P50.Seconds(), P90: l.P90.Seconds(), P99: l.P99.Seconds(), Max: l.Max.Seconds(),
	}
}
