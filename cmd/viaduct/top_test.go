package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// topOf runs viaduct top, and returns what it writes.
func topOf(ctx context.Context, args ...string) (code int, out, text string) {
	var b strings.Builder
	err := dispatch(ctx, &streams{in: strings.NewReader(""), out: &b}, append([]string{"top"}, args...))
	if err == nil {
		return 0, b.String(), ""
	}
	f := failureOf(ctx, err)
	return f.code, b.String(), f.text
}

// TestTop: a real page is shown, by its address and on a socket.
func TestTop(t *testing.T) {
	a, b := rpcpipe.Pair(&rpcpipe.Options{Name: "here"}, &rpcpipe.Options{Name: "there"})
	defer b.Wait()
	defer a.Close()
	a.Call("There.IsNone", 1, nil)
	mux := http.NewServeMux()
	mux.Handle(debugPath, rpcpipe.DebugHandler(nil))
	a.Call("There.IsNone", 1, nil)
	server := httptest.NewServer(mux)
	defer server.Close()
	addresses := []string{server.URL, server.URL + debugPath, strings.TrimPrefix(server.URL, "http://")}
	path := filepath.Join(t.TempDir(), "s")
	if l, err := net.Listen("unix", path); err == nil {
		defer l.Close()
		go http.Serve(l, mux)
		addresses = append(addresses, "unix:"+path)
	} else {
		t.Logf("no sockets of Unix here: %v", err)
	}
	for _, address := range addresses {
		code, out, text := topOf(t.Context(), "-once", address)
		if code != 0 {
			t.Fatalf("%s: %s", address, text)
		}
		for _, want := range []string{"METHOD", "There.IsNone", "there", "made", "peers 2"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", address, want, out)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: what is for a terminal went elsewhere", address)
		}
	}
}

// TestTopWatches: one table follows the other until the user has seen enough.
func TestTopWatches(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 3 {
			cancel()
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"version":1,"program":"evil\u001b[2J","peers":[{"peer":"p","pending":[{"method":"A.B","age_seconds":75}]}]}`))
	}))
	defer server.Close()
	_, out, _ := topOf(ctx, "-every", "1ms", server.URL)
	if strings.Count(out, "1m15s  A.B") < 2 || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}

// TestTopErrors: each says what was wrong, and what to do.
func TestTopErrors(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"/html":    func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); w.Write([]byte("<html>")) },
		"/none":    func(w http.ResponseWriter) { http.Error(w, "not here", http.StatusNotFound) },
		"/refused": func(w http.ResponseWriter) { http.Error(w, "viaduct: put it into Hosts\nmore", http.StatusForbidden) },
		"/later": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"version":2}`))
		},
		"/broken": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"vers`))
		},
	}
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := answers[r.URL.Path]; f != nil {
			f(w)
			return
		}
		<-release
	}))
	defer server.Close()
	defer close(release)
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, codeUsage, "one address was expected"},
		{[]string{"a", "b"}, codeUsage, "one address was expected"},
		{[]string{"ftp://host/"}, codeUsage, "is no address of a page"},
		{[]string{"unix:"}, codeUsage, "has no path"},
		{[]string{"-every", "0s", "x"}, codeUsage, "-every is 0s: more than 0 was expected"},
		{[]string{"-rows", "0", "x"}, codeUsage, "-rows is 0: more than 0 was expected"},
		{[]string{server.URL + "/html"}, codeFailed, `its JSON was expected, and "text/html" came`},
		{[]string{server.URL + "/none"}, codeFailed, "the answer is 404 Not Found: not here"},
		{[]string{server.URL + "/refused"}, codeFailed, "the answer is 403 Forbidden: viaduct: put it into Hosts"},
		{[]string{server.URL + "/later"}, codeFailed, "has version 2, and this command knows version 1"},
		{[]string{server.URL + "/broken"}, codeFailed, "the JSON is not that of rpcpipe.DebugHandler"},
		{[]string{"-timeout", "20ms", server.URL + "/slow"}, codeDeadline, "no answer within -timeout"},
		{[]string{"unix:" + filepath.Join(t.TempDir(), "none")}, codeFailed, "is the program running"},
	} {
		code, _, text := topOf(t.Context(), c.args...)
		if code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%q: %d %q, want %d %q", c.args, code, text, c.code, c.text)
		}
	}
}

// TestSpan: durations have a unit and few digits.
func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 1e-9: "1ns", 12.3456e-6: "12.35µs", 0.0123456: "12.35ms", 1.23456: "1.23s", 75: "1m15s", 1e18: time.Duration(1e18).String()} {
		if got := span(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
}
