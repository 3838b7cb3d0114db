package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

var topCommand = &command{
	name: "top", args: "[-once] [-every time] [-rows n] url | unix:path",
	short: "watch what the links of a program are doing",
	help: `The program serves rpcpipe.DebugHandler, whose address is given. unix:path is the path of a socket that
it is served at, as /debug/viaduct/. Calls that have not ended come first, the oldest at the top; then methods, by
the time that they take in all. On a terminal the table is written anew each time, elsewhere one follows the other.`,
	examples: []string{
		`viaduct top http://localhost:6060/debug/viaduct/`,
		`viaduct top -every 500ms localhost:6060`,
		`viaduct top -once unix:/run/app/debug.sock`,
	},
	flags: func(l *line) {
		l.flags.BoolVar(&l.once, "once", false, "write one table and end")
		l.flags.DurationVar(&l.every, "every", 2*time.Second, "how long to wait between two tables")
		l.flags.IntVar(&l.rows, "rows", 20, "how many calls, and methods, are shown at most")
		l.flags.DurationVar(&l.timeout, "timeout", 10*time.Second, "how long an answer may take")
	},
	run: top,
}

// debugPath is where the page is served, if an address does not say.
const debugPath = "/debug/viaduct/"

// A view is what the page says, as far as it is shown here.
type view struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Program string    `json:"program"`
	Pid     int       `json:"pid"`
	Peers   []struct {
		Peer    string       `json:"peer"`
		Methods []viewMethod `json:"methods"`
		Pending []viewCall   `json:"pending"`
		Running []viewCall   `json:"running"`
		Stalls  struct {
			Sending  int `json:"sending"`
			Handling int `json:"handling"`
		} `json:"stalls"`
	} `json:"peers"`
	Supervisors []struct {
		Supervisor string `json:"supervisor"`
		State      string `json:"state"`
		Error      string `json:"error"`
		Restarts   int    `json:"restarts"`
	} `json:"supervisors"`
	Pools []struct {
		Pool    string `json:"pool"`
		Workers int    `json:"workers"`
		Up      int    `json:"up"`
		Running int    `json:"running"`
		Queue   int    `json:"queue"`
	} `json:"pools"`
	Exits []struct {
		Time    time.Time `json:"time"`
		Peer    string    `json:"peer"`
		Text    string    `json:"text"`
		Orderly bool      `json:"orderly"`
	} `json:"exits"`
}

type viewMethod struct {
	peer      string
	Method    string  `json:"method"`
	Direction string  `json:"direction"`
	Ended     uint64  `json:"ended"`
	Failed    uint64  `json:"failed"`
	Running   int     `json:"running"`
	Rate      float64 `json:"rate"`
	P50       float64 `json:"p50_seconds"`
	P99       float64 `json:"p99_seconds"`
	Max       float64 `json:"max_seconds"`
	Total     float64 `json:"total_seconds"`
}

type viewCall struct {
	peer, what string
	Method     string  `json:"method"`
	Age        float64 `json:"age_seconds"`
}

func top(ctx context.Context, s *streams, l *line) error {
	switch {
	case len(l.args) != 1 || l.program != nil:
		return l.usage("one address was expected: that of the page")
	case l.every <= 0:
		return l.usage("-every is %v: more than 0 was expected", l.every)
	case l.rows <= 0:
		return l.usage("-rows is %d: more than 0 was expected", l.rows)
	}
	source, err := sourceOf(l.args[0])
	if err != nil {
		return l.usage("%v", err)
	}
	defer source.client.CloseIdleConnections()
	source.client.Timeout = l.timeout
	onTerminal := isTerminal(s.out)
	ticks := time.NewTicker(l.every)
	defer ticks.Stop()
	for first := true; ; first = false {
		v, err := source.get(ctx)
		if err != nil {
			return err
		}
		text := v.text(l.rows)
		switch {
		case onTerminal && !l.once:
			text = "\x1b[H\x1b[2J" + text
		case !first:
			text = "\n" + text
		}
		if _, err := io.WriteString(s.out, text); err != nil || l.once {
			return err
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil // it has been watched long enough
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A source is where the page is.
type source struct {
	address string // as the user has given it
	url     string
	client  *http.Client
}

// sourceOf returns the source at an address.
func sourceOf(address string) (*source, error) {
	s := &source{address: address, client: new(http.Client)}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return nil, errors.New("unix: has no path: unix:/run/app/debug.sock was expected, for instance")
		}
		var dialer net.Dialer
		s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}}
		s.url = "http://localhost" + debugPath + "?format=json"
		return s, nil
	}
	if strings.HasPrefix(address, ":") { // a port of this machine, as Go's servers have it
		address = "localhost" + address
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a page: http://localhost:6060%s was expected, for instance, or unix:path", s.address, debugPath)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = debugPath
	}
	q := u.Query()
	q.Set("format", "json")
	u.RawQuery = q.Encode()
	s.url = u.String()
	return s, nil
}

// most is how large an answer may be.
const mostAnswer = 64 << 20

// get asks for what there is now.
func (s *source) get(ctx context.Context) (*view, error) {
	failed := func(format string, args ...any) error {
		return &failure{codeFailed, clean(s.address + ": " + fmt.Sprintf(format, args...))}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, failed("%v", err)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		var inner *url.Error
		if errors.As(err, &inner) && inner.Timeout() {
			return nil, &failure{codeDeadline, clean(s.address + ": no answer within -timeout")}
		}
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, failed("%v: is the program running, and does it serve rpcpipe.DebugHandler there?", err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil {
		return nil, failed("the answer was cut off: %v", err)
	}
	if answer.StatusCode != http.StatusOK {
		text, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		return nil, failed("the answer is %s: %.300s", answer.Status, text)
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/json" || len(b) > mostAnswer {
		return nil, failed("what is there is not the page of rpcpipe.DebugHandler: its JSON was expected, and %q came", kind)
	}
	v := new(view)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, failed("the JSON is not that of rpcpipe.DebugHandler: %v", err)
	}
	if v.Version != 1 {
		return nil, failed("the JSON has version %d, and this command knows version 1: use that of the program's viaduct", v.Version)
	}
	return v, nil
}

// text is the table.
func (v *view) text(rows int) string {
	var methods []viewMethod
	var calls []viewCall
	stalled, rate := 0, 0.0
	for _, p := range v.Peers {
		for _, m := range p.Methods {
			m.peer = p.Peer
			methods = append(methods, m)
			rate += m.Rate
		}
		for _, c := range p.Pending {
			calls = append(calls, viewCall{p.Peer, "waits for the reply", c.Method, c.Age})
		}
		for _, c := range p.Running {
			calls = append(calls, viewCall{p.Peer, "runs there", c.Method, c.Age})
		}
		stalled += p.Stalls.Sending + p.Stalls.Handling
	}
	slices.SortStableFunc(calls, func(a, b viewCall) int { return cmp.Compare(b.Age, a.Age) })
	slices.SortStableFunc(methods, func(a, b viewMethod) int { return cmp.Compare(b.Total, a.Total) })

	var b strings.Builder
	fmt.Fprintf(&b, "%s  process %d  %s  peers %d  calls/s %.1f  going on %d  stalled %d\n",
		oneLine(v.Program), v.Pid, v.Time.Local().Format(time.TimeOnly), len(v.Peers), rate, len(calls), stalled)
	table := func(head string, n, all int, row func(i int) string) {
		if all == 0 {
			return
		}
		b.WriteByte('\n')
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, head)
		for i := range min(n, all) {
			fmt.Fprintln(w, row(i))
		}
		w.Flush()
		if all > n {
			fmt.Fprintf(&b, "and %d more\n", all-n)
		}
	}
	table("AGE\tMETHOD\tPEER\tWHAT", rows, len(calls), func(i int) string {
		c := calls[i]
		return fmt.Sprintf("%s\t%s\t%s\t%s", span(c.Age), oneLine(c.Method), oneLine(c.peer), c.what)
	})
	table("METHOD\tPEER\t\tCALLS/S\tENDED\tFAILED\tNOW\tP50\tP99\tMAX\tTOTAL", rows, len(methods), func(i int) string {
		m := methods[i]
		return fmt.Sprintf("%s\t%s\t%s\t%.1f\t%d\t%d\t%d\t%s\t%s\t%s\t%s", oneLine(m.Method), oneLine(m.peer), oneLine(m.Direction),
			m.Rate, m.Ended, m.Failed, m.Running, span(m.P50), span(m.P99), span(m.Max), span(m.Total))
	})
	table("SUPERVISOR\tSTATE\tRESTARTS\tWHY NONE IS UP", rows, len(v.Supervisors), func(i int) string {
		s := v.Supervisors[i]
		return fmt.Sprintf("%s\t%s\t%d\t%s", oneLine(s.Supervisor), oneLine(s.State), s.Restarts, oneLine(s.Error))
	})
	table("POOL\tUP\tRUNNING\tQUEUE", rows, len(v.Pools), func(i int) string {
		p := v.Pools[i]
		return fmt.Sprintf("%s\t%d of %d\t%d\t%d", oneLine(p.Pool), p.Up, p.Workers, p.Running, p.Queue)
	})
	table("LAST EXITS\t\t", 5, len(v.Exits), func(i int) string {
		e := v.Exits[i]
		return fmt.Sprintf("%s\t%s\t%s", e.Time.Local().Format(time.TimeOnly), oneLine(e.Peer), oneLine(e.Text))
	})
	return b.String()
}

// span writes seconds with about three digits.
func span(seconds float64) string {
	d := time.Duration(min(seconds, 1e9) * float64(time.Second))
	for unit := time.Duration(1); unit <= time.Second; unit *= 1000 {
		if d < 1000*unit {
			return d.Round(max(unit/100, 1)).String()
		}
	}
	return d.Round(time.Second).String()
}
