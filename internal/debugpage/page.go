package debugpage

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

// What a page shows at most; the JSON has the rest.
const (
	mostRows  = 200
	mostCalls = 20
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

// policy lets the page use its own style, and nothing else.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"duration": duration, "age": age, "rate": rate, "count": count, "size": size, "short": short,
	"histogram": histogramSVG, "recent": recentSVG,
	"number": func(n int) string { return count(uint64(max(n, 0))) },
	"size64": func(n int) string { return size(int64(n)) },
	"bytes":  func(n uint64) string { return size(int64(min(n, math.MaxInt64))) },
	"failures": func(m *Method) string {
		if m.Failed == 0 {
			return ""
		}
		return count(m.Failed)
	},
}).Parse(pageText))

// view is what the template is given.
type view struct {
	*Snapshot // what the query asks for
	All       *Snapshot
	q         query
	Style     template.HTML

	Rows     []row // methods
	RowsMore int
	Calls    []waiting // that have not ended, the oldest first
	CallsIn  int       // how many there are
	Oldest   float64
	Rate     float64
	Failed   uint64
	Stalled  int
	Bad      int // exits that were not orderly
}

// row is a method in the table.
type row struct {
	Peer *Peer
	*Method
}

// waiting is a call that has not ended.
type waiting struct {
	Peer      *Peer
	Direction string
	Call
}

// A column says how a row compares with another one.
type column func(a, b row) int

func by[T cmp.Ordered](value func(row) T) column {
	return func(a, b row) int { return cmp.Compare(value(a), value(b)) }
}

var columns = map[string]column{
	"method":  by(func(r row) string { return r.Method.Method }),
	"peer":    by(func(r row) string { return r.Peer.Peer }),
	"rate":    by(func(r row) float64 { return r.Rate }),
	"ended":   by(func(r row) uint64 { return r.Ended }),
	"failed":  by(func(r row) uint64 { return r.Failed }),
	"running": by(func(r row) int { return r.Running }),
	"p50":     by(func(r row) float64 { return r.P50 }),
	"p99":     by(func(r row) float64 { return r.P99 }),
	"max":     by(func(r row) float64 { return r.Max }),
	"total":   by(func(r row) float64 { return r.Total }),
}

// isUp reports whether the rows are sorted from the least to the greatest.
func (q query) isUp() bool {
	if q.order == "" { // names are, figures are not
		return q.sort == "method" || q.sort == "peer"
	}
	return q.order == orderUp
}

// writePage writes the page of s, which is what q asks for of all.
func writePage(w io.Writer, s, all *Snapshot, q query) error {
	v := &view{Snapshot: s, All: all, q: q, Style: template.HTML("<style>" + style + "</style>")}
	for i := range v.Peers {
		v.add(&v.Peers[i])
	}
	for _, e := range s.Exits {
		if !e.Orderly {
			v.Bad++
		}
	}
	less, isUp := columns[q.sort], q.isUp()
	slices.SortStableFunc(v.Rows, func(a, b row) int {
		c := less(a, b)
		if !isUp {
			c = -c
		}
		return cmp.Or(c, columns["method"](a, b), columns["peer"](a, b))
	})
	v.RowsMore = max(0, len(v.Rows)-mostRows)
	v.Rows = v.Rows[:len(v.Rows)-v.RowsMore]
	slices.SortStableFunc(v.Calls, func(a, b waiting) int { return cmp.Compare(b.Age, a.Age) })
	if len(v.Calls) > 0 {
		v.Oldest = v.Calls[0].Age
	}
	v.Calls = v.Calls[:min(len(v.Calls), mostCalls)]
	return page.Execute(w, v)
}

func (v *view) add(p *Peer) {
	for i := range p.Methods {
		m := &p.Methods[i]
		v.Rows = append(v.Rows, row{p, m})
		v.Rate += m.Rate
		v.Failed += m.Failed
	}
	for _, c := range p.Pending {
		v.Calls = append(v.Calls, waiting{p, DirectionMade, c})
	}
	for _, c := range p.Running {
		v.Calls = append(v.Calls, waiting{p, DirectionServed, c})
	}
	v.CallsIn += len(p.Pending) + p.PendingMore + len(p.Running) + p.RunningMore
	v.Stalled += p.StalledNow()
}

// CallsMore is how many calls are not shown.
func (v *view) CallsMore() int { return v.CallsIn - len(v.Calls) }

// MorePeers is how many peers of those shown have no row.
func (v *view) MorePeers() int { return max(0, len(v.Peers)-mostRows) }

// TopPeers are those that have one.
func (v *view) TopPeers() []Peer { return v.Peers[:min(len(v.Peers), mostRows)] }

// MoreSupervisors is how many supervisors have no row.
func (v *view) MoreSupervisors() int { return max(0, len(v.Supervisors)-mostRows) }

// TopSupervisors are those that have one.
func (v *view) TopSupervisors() []Supervisor {
	return v.Supervisors[:min(len(v.Supervisors), mostRows)]
}

// Filter is the peer that alone is shown.
func (v *view) Filter() string { return v.q.peer }

// IsThere reports whether there is anything of what is asked for.
func (v *view) IsThere() bool {
	return len(v.Peers)+len(v.Supervisors)+len(v.Pools)+len(v.Exits) > 0
}

// RefreshIs is the number of seconds between refreshes, 0 if there are none.
func (v *view) RefreshIs() int { return v.q.refresh }

// Refreshes are those to choose from.
func (v *view) Refreshes() []int { return []int{1, 2, 5, 10} }

// The links of the page.

func (v *view) Refresh(seconds int) string { return v.q.link(func(q *query) { q.refresh = seconds }) }
func (v *view) Only(peer string) string    { return v.q.link(func(q *query) { q.peer = peer }) }
func (v *view) Format(format string) string {
	return v.q.link(func(q *query) { q.format, q.sort, q.order, q.refresh = format, sortDefault, "", 0 })
}

// StalledNow is how much waits for too long.
func (p Peer) StalledNow() int { return p.Stalls.Sending + p.Stalls.Handling }

// A head is that of a column.
type head struct {
	Name, Text, Title, Link string
	Number                  bool
	Sorted                  string // aria-sort; "": it is another one
}

// Heads are those of the methods' table that it can be sorted by.
func (v *view) Heads() (heads []head) {
	for _, h := range []head{
		{Name: "method", Text: "Method"},
		{Name: "peer", Text: "Peer"},
		{Name: "rate", Text: "Rate", Title: "calls that ended in a second: the mean of the last 10 seconds", Number: true},
		{Name: "ended", Text: "Ended", Title: "calls that have ended, ever", Number: true},
		{Name: "failed", Text: "Failed", Title: "of them, those that failed", Number: true},
		{Name: "running", Text: "Now", Title: "calls that have not ended", Number: true},
		{Name: "p50", Text: "p50", Title: "half of them took no longer", Number: true},
		{Name: "p99", Text: "p99", Title: "99 of 100 took no longer", Number: true},
		{Name: "max", Text: "Max", Title: "the longest", Number: true},
		{Name: "total", Text: "Total", Title: "the time of all calls together", Number: true},
	} {
		isSorted := h.Name == v.q.sort
		if isSorted {
			h.Sorted = "descending"
			if v.q.isUp() {
				h.Sorted = "ascending"
			}
		}
		order := ""
		if isSorted {
			order = orderUp
			if v.q.isUp() {
				order = orderDown
			}
		}
		h.Link = v.q.link(func(q *query) { q.sort, q.order = h.Name, order })
		heads = append(heads, h)
	}
	return heads
}

// Lines is how many lines the crash has.
func (e Exit) Lines() int { return strings.Count(strings.TrimSpace(e.Crash), "\n") + 1 }
