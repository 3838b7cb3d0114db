package debugpage

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a snapshot with all there may be.
func example() *Snapshot {
	recent := make([]uint32, 60)
	for i := 40; i < 60; i++ {
		recent[i] = uint32(i)
	}
	return &Snapshot{
		Version: FormatVersion, Time: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Program: "app", Pid: 17, Goroutines: 12,
		Peers: []Peer{{
			Peer: "worker[0]", Kind: "child", Name: "arith", Version: "1.2", Language: "go", Pid: 18, Supervisor: "worker[0]",
			Age: 90, State: "up", Made: Made{Calls: 1234, Failed: 5, Cancelled: 1, Notifications: 3, Pending: 2},
			Served: Served{Calls: 7, Running: 1}, Stalls: Stalls{Sending: 1, Total: 2},
			Link: &Link{BytesIn: 5000, BytesOut: 7000, Senders: 1, Streams: 2, RoundTrip: 42e-6, CallCredit: -5, ReplyCredit: 262144},
			Methods: []Method{
				{
					Method: "Arith.Add", Direction: DirectionMade, Ended: 1230, Failed: 5, Running: 2, Rate: 54.5,
					P50: 20e-6, P90: 50e-6, P99: 1e-3, Max: 0.2, Total: 1.5,
					Histogram: append(make([]uint64, 13), 2, 900, 300, 20, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3), Recent: recent,
				},
				{Method: `Odd"\` + "\n</script><b>", Direction: DirectionServed, Notifications: 3, Recent: make([]uint32, 60)},
			},
			Pending: []Call{{Method: "Arith.Stuck", Age: 75}, {Method: "Arith.Add", Age: 0.002}},
			Running: []Call{{Method: "Log.Put", Notification: true, Age: 6}},
		}, {
			Peer: "bare", Kind: "bare", State: "ending", Methods: []Method{}, Pending: []Call{}, Running: []Call{},
		}},
		Supervisors: []Supervisor{
			{Supervisor: "worker[0]", Pool: "worker", State: "up", Starts: 2, Restarts: 1, Pid: 18, Up: 90, Took: Latency{Count: 1, P50: 1e-3, P90: 1e-3, P99: 1e-3, Max: 1e-3}},
			{Supervisor: "db", State: "backoff", Error: "child 9 exited: exit status 3", Starts: 3, Restarts: 2},
		},
		Pools: []Pool{{Pool: "worker", Workers: 1, Up: 1, Running: 1, Queue: 4, Jobs: 100, Failed: 2}},
		Exits: []Exit{
			{Time: time.Date(2030, 1, 2, 3, 4, 0, 0, time.UTC), Peer: "worker[0]", Name: "arith", Pid: 9, Lifetime: 61, Text: "child 9 exited: exit status 2; crash: panic: <boom>", Crash: "panic: <boom>\n\ngoroutine 1 [running]:\n"},
			{Peer: "db", Orderly: true, Text: "closed on this side"},
		},
	}
}

func serve(t *testing.T, method, target, host string, hosts ...string) *httptest.ResponseRecorder {
	t.Helper()
	h := Handler(Config{Snapshot: example, Hosts: hosts, SetHosts: "rpcpipe.DebugOptions.Hosts"})
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// golden compares what was written with a file. -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

// TestFormats: all three have everything, in the form that programs rely on.
func TestFormats(t *testing.T) {
	for _, c := range []struct{ target, kind, file string }{
		{"/debug/viaduct/?format=json", "application/json", "snapshot.json"},
		{"/debug/viaduct/json", "application/json", "snapshot.json"},
		{"/debug/viaduct/?format=prometheus", "text/plain; version=0.0.4; charset=utf-8", "metrics.txt"},
		{"/metrics", "text/plain; version=0.0.4; charset=utf-8", "metrics.txt"},
	} {
		w := serve(t, "GET", c.target, "localhost:6060")
		require.Equal(t, http.StatusOK, w.Code, c.target)
		require.Equal(t, c.kind, w.Header().Get("Content-Type"))
		golden(t, c.file, w.Body.String())
	}
	var s Snapshot
	w := serve(t, "GET", "/?format=json&peer=bare", "localhost")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s))
	require.Len(t, s.Peers, 1)
	require.Equal(t, "bare", s.Peers[0].Peer)
}

// TestOne: what is asked for by a name is shown with all that belongs to it, and nothing else is.
func TestOne(t *testing.T) {
	type shown struct{ peers, supervisors, pools, exits string }
	of := func(peer string) (got shown) {
		w := serve(t, "GET", "/json?"+url.Values{"peer": {peer}}.Encode(), "localhost")
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		var s Snapshot
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s))
		for _, p := range s.Peers {
			got.peers += p.Peer + " "
		}
		for _, x := range s.Supervisors {
			got.supervisors += x.Supervisor + " "
		}
		for _, p := range s.Pools {
			got.pools += p.Pool + " "
		}
		for _, e := range s.Exits {
			got.exits += e.Peer + " "
		}
		return got
	}
	require.Equal(t, shown{"worker[0] bare ", "worker[0] db ", "worker ", "worker[0] db "}, of(""))
	require.Equal(t, shown{peers: "bare "}, of("bare"))
	require.Equal(t, shown{supervisors: "db ", exits: "db "}, of("db"))
	require.Equal(t, shown{"worker[0] ", "worker[0] ", "", "worker[0] "}, of("worker[0]"))
	require.Equal(t, shown{"worker[0] ", "worker[0] ", "worker ", "worker[0] "}, of("worker"))

	metrics := serve(t, "GET", "/metrics?peer=bare", "localhost").Body.String()
	require.Contains(t, metrics, `peer="bare"`)
	require.NotContains(t, metrics, "worker")
	require.NotContains(t, metrics, `"db"`)
	text := serve(t, "GET", "/?peer=db", "localhost").Body.String()
	require.Contains(t, text, "backoff")
	require.NotContains(t, text, "worker")
}

// TestNoSuchPeer: a name of nothing is an error that says which names there are.
func TestNoSuchPeer(t *testing.T) {
	for _, target := range []string{"/json?peer=gone", "/metrics?peer=gone"} {
		w := serve(t, "GET", target, "localhost")
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Equal(t, `viaduct: there is no peer, Supervisor or Pool "gone": there are now "bare", "db", "worker", "worker[0]"`+"\n", w.Body.String())
	}
	w := serve(t, "GET", "/?peer=gone&refresh=5", "localhost")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Body.String(), "which is not there, or has ended: there are now &#34;bare&#34;, &#34;db&#34;")
	require.Contains(t, w.Body.String(), `http-equiv="refresh"`)

	many := &Snapshot{}
	for i := range 25 {
		many.Peers = append(many.Peers, Peer{Peer: strings.Repeat(string(rune('a'+i)), 1000)})
	}
	require.Contains(t, many.Names(), "and 5 more")
	require.Less(t, len(many.Names()), 20*100)
	require.Equal(t, "there is none now", (&Snapshot{}).Names())
}

// TestPage: the page has no script, names what is stuck first, and shows no text as markup.
func TestPage(t *testing.T) {
	w := serve(t, "GET", "/debug/viaduct/?refresh=2", "localhost:6060")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	text := w.Body.String()
	golden(t, "page.html", text)
	assert.NotContains(t, text, "<script")
	assert.NotContains(t, text, "</script><b>")
	assert.NotContains(t, text, "<boom>")
	assert.NotContains(t, text, "style=", "the policy allows none")
	assert.NotContains(t, text, "ZgotmplZ")
	assert.Contains(t, text, `<meta http-equiv="refresh" content="2">`)
	stuck, other := strings.Index(text, "Arith.Stuck"), strings.Index(text, "Arith.Add")
	assert.Positive(t, stuck)
	assert.Less(t, stuck, other)
	assert.Contains(t, text, "1 min 15 s")
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Content-Type": "text/html; charset=utf-8",
	} {
		assert.Equal(t, want, w.Header().Get(name), name)
	}
	policy := w.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.NotContains(t, policy, "script")

	w = serve(t, "GET", "/", "localhost")
	assert.NotContains(t, w.Body.String(), `http-equiv="refresh"`)
	w = serve(t, "GET", "/?peer=bare", "localhost")
	assert.NotContains(t, w.Body.String(), "Arith.Stuck")
}

// TestSort: rows go by the column that is asked for, and its link turns them round.
func TestSort(t *testing.T) {
	first := func(target string) string {
		text := serve(t, "GET", target, "localhost").Body.String()
		_, text, _ = strings.Cut(text, `id="methods"`)
		if strings.Index(text, "Arith.Add") < strings.Index(text, "Odd") {
			return "Add"
		}
		return "Odd"
	}
	assert.Equal(t, "Add", first("/"))
	assert.Equal(t, "Add", first("/?sort=rate"))
	assert.Equal(t, "Odd", first("/?sort=rate&order=up"))
	assert.Equal(t, "Add", first("/?sort=method"))
	assert.Equal(t, "Odd", first("/?sort=method&order=down"))
	text := serve(t, "GET", "/?sort=p99&refresh=5", "localhost").Body.String()
	assert.Contains(t, text, `aria-sort="descending"><a id="sort-p99" href="?order=up&amp;refresh=5&amp;sort=p99"`)
}

// TestHost: only names that no other site can have mean are served, and those that are allowed.
func TestHost(t *testing.T) {
	for _, host := range []string{
		"localhost", "localhost:6060", "LOCALHOST:1", "localhost.", "app.localhost:80", "127.0.0.1", "127.1.2.3:6060",
		"[::1]", "[::1]:6060", "192.0.2.7:6060", "[2001:db8::1]:80", "dev.example", "DEV.example:6060", "dev.example.:6060",
	} {
		assert.Equal(t, http.StatusOK, serve(t, "GET", "/", host, "dev.example").Code, host)
	}
	for _, host := range []string{
		"", ":80", "attacker.example", "attacker.example:6060", "localhost.attacker.example", "xlocalhost",
		"127.0.0.1.attacker.example", "sub.dev.example", "dev.example.attacker.example", "[::1", "[::1]x", "[dev.example", "127.1", "0x7f000001", "*",
	} {
		for _, target := range []string{"/", "/json", "/metrics"} {
			w := serve(t, "GET", target, host, "dev.example")
			assert.Equal(t, http.StatusForbidden, w.Code, host)
			assert.Contains(t, w.Body.String(), "rpcpipe.DebugOptions.Hosts")
			assert.NotContains(t, w.Body.String(), "Arith")
		}
	}
	assert.Equal(t, "viaduct: the request was made for the host \"attacker.example:80\", which this page is not served for: "+
		"a page of another site could read it. Use localhost or an address, or allow the name: put it into rpcpipe.DebugOptions.Hosts.\n",
		serve(t, "GET", "/", "attacker.example:80").Body.String())
	assert.Equal(t, http.StatusOK, serve(t, "GET", "/", "any.example", "*").Code)
	assert.Less(t, len(serve(t, "GET", "/", strings.Repeat("x", 1<<16)).Body.String()), 500)
}

// TestBadRequests: each says what was wrong, and what was expected.
func TestBadRequests(t *testing.T) {
	for _, c := range []struct {
		method, target string
		code           int
		text           string
	}{
		{"POST", "/", http.StatusMethodNotAllowed, `viaduct: "POST" is no method of this page, which is only to be read: GET or HEAD was expected.`},
		{"GET", "/?format=xml", http.StatusBadRequest, `viaduct: there is no format "xml": json and prometheus were expected, or none for the page`},
		{"GET", "/json?format=prometheus", http.StatusBadRequest, `viaduct: this path has the format json, and format is "prometheus": the same was expected, or none`},
		{"GET", "/metrics?format=json", http.StatusBadRequest, `viaduct: this path has the format prometheus, and format is "json": the same was expected, or none`},
		{"GET", "/?sort=colour", http.StatusBadRequest, `viaduct: there is no column "colour" to sort by: ended, failed, max, method, p50, p99, peer, rate, running, total were expected`},
		{"GET", "/?order=left", http.StatusBadRequest, `viaduct: there is no order "left": up or down was expected`},
		{"GET", "/?refresh=soon", http.StatusBadRequest, `viaduct: refresh is "soon": a number of seconds was expected, 1 to 3600, or 0 for none`},
		{"GET", "/?refresh=-1", http.StatusBadRequest, `viaduct: refresh is "-1": a number of seconds was expected, 1 to 3600, or 0 for none`},
	} {
		w := serve(t, c.method, c.target, "localhost")
		assert.Equal(t, c.code, w.Code, c.target)
		assert.Equal(t, c.text+"\n", w.Body.String())
	}
	assert.Equal(t, "GET, HEAD", serve(t, "POST", "/", "localhost").Header().Get("Allow"))
	assert.Equal(t, http.StatusOK, serve(t, "HEAD", "/", "localhost").Code)
}

// TestLargePage: what is shown is bounded, whatever there is.
func TestLargePage(t *testing.T) {
	s := example()
	for range 2000 {
		p := s.Peers[0]
		for range 5 {
			p.Pending = append(p.Pending, Call{Method: strings.Repeat("x", 1000)})
		}
		s.Peers = append(s.Peers, p)
	}
	var b strings.Builder
	q, err := parseQuery(nil)
	require.NoError(t, err)
	require.NoError(t, writePage(&b, s, s, q))
	require.Less(t, b.Len(), 1<<20)
	require.Contains(t, b.String(), "more rows: choose a peer, or see the JSON")
	require.Contains(t, b.String(), "1,802 more: see the JSON")
}

// TestAmounts: figures have three digits and a unit.
func TestAmounts(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0", 5e-9: "5.00 ns", 999.4e-9: "999 ns", 999.9e-9: "1.00 µs", 12.34e-6: "12.3 µs", 0.0123: "12.3 ms",
		0.99999: "1.00 s", 59.9: "59.9 s", 59.99: "1 min 00 s", 3599.7: "1 h 00 min", 90000: "1 d 01 h",
	} {
		assert.Equal(t, want, duration(seconds))
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", -5: "−5 B", 5 << 30: "5.00 GiB", 1<<20 - 1: "1.00 MiB"} {
		assert.Equal(t, want, size(n))
	}
	assert.Equal(t, "1,234,567", count(1234567))
	assert.Equal(t, "123", count(123))
	assert.Equal(t, "1,235", rate(1234.6))
	assert.Equal(t, 2.5, RateOf([]uint32{9, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0}))
}
