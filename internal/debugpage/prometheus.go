package debugpage

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// promType is the type of a metric.
type promType string

const (
	counter   promType = "counter"
	gauge     promType = "gauge"
	histogram promType = "histogram"
)

// prom writes the text format of Prometheus, version 0.0.4.
type prom struct{ b *bytes.Buffer }

// begin begins a metric: all its samples follow.
func (p prom) begin(name, help string, t promType) {
	fmt.Fprintf(p.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, t)
}

// sample writes one. labels are names and values in turns.
func (p prom) sample(name string, value float64, labels ...string) {
	p.b.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		p.b.WriteByte("{,"[min(i, 1)])
		p.b.WriteString(labels[i])
		p.b.WriteString(`="`)
		p.b.WriteString(escapeLabel(labels[i+1]))
		p.b.WriteByte('"')
	}
	if len(labels) > 0 {
		p.b.WriteByte('}')
	}
	p.b.WriteByte(' ')
	p.b.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	p.b.WriteByte('\n')
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func escapeLabel(s string) string { return labelEscapes.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

// A metric is one of each T.
type metric[T any] struct {
	name, help string
	t          promType
	labels     []string // behind the one that names the T
	value      func(T) float64
}

// writeMetrics writes metrics of all in list. Those of one name follow each other.
func writeMetrics[T any](p prom, list []T, label string, name func(T) string, metrics []metric[T]) {
	if len(list) == 0 {
		return
	}
	for i, m := range metrics {
		if i == 0 || metrics[i-1].name != m.name {
			p.begin(m.name, m.help, m.t)
			for j := i; j < len(metrics) && metrics[j].name == m.name; j++ {
				for _, v := range list {
					p.sample(m.name, metrics[j].value(v), append([]string{label, name(v)}, metrics[j].labels...)...)
				}
			}
		}
	}
}

func writePrometheus(b *bytes.Buffer, s *Snapshot) {
	p := prom{b}
	if len(s.Peers) > 0 {
		p.begin("viaduct_peer_info", "The other sides of the links of this process; always 1.", gauge)
	}
	var linked []Peer
	for _, x := range s.Peers {
		p.sample("viaduct_peer_info", 1, "peer", x.Peer, "kind", x.Kind, "name", x.Name, "version", x.Version, "pid", strconv.Itoa(x.Pid))
		if x.Link != nil {
			linked = append(linked, x)
		}
	}
	peer := func(x Peer) string { return x.Peer }
	writeMetrics(p, s.Peers, "peer", peer, peerMetrics)
	writeMetrics(p, linked, "peer", peer, linkMetrics)
	writeMethods(p, s)
	writeMetrics(p, s.Supervisors, "supervisor", func(x Supervisor) string { return x.Supervisor }, supervisorMetrics)
	writeMetrics(p, s.Pools, "pool", func(x Pool) string { return x.Pool }, poolMetrics)
}

// firstEdge and lastEdge are exponents of 4: buckets end at these powers of it, in nanoseconds: from 1 us
// to 69 s.
const firstEdge, lastEdge = 5, 18

func writeMethods(p prom, s *Snapshot) {
	each := func(f func(m *Method, labels []string)) {
		for i := range s.Peers {
			for j := range s.Peers[i].Methods {
				m := &s.Peers[i].Methods[j]
				f(m, []string{"peer", s.Peers[i].Peer, "direction", m.Direction, "method", m.Method})
			}
		}
	}
	any := false
	each(func(*Method, []string) { any = true })
	if !any {
		return
	}
	const name = "viaduct_method_duration_seconds"
	p.begin(name, "How long calls took that have ended, by their methods.", histogram)
	each(func(m *Method, labels []string) {
		sum, next := uint64(0), 0
		for edge := firstEdge; edge <= lastEdge; edge++ {
			for ; next < 2*edge && next < len(m.Histogram); next++ {
				sum += m.Histogram[next]
			}
			le := strconv.FormatFloat(math.Ldexp(1, 2*edge)/1e9, 'g', -1, 64)
			p.sample(name+"_bucket", float64(sum), append(labels, "le", le)...)
		}
		for ; next < len(m.Histogram); next++ {
			sum += m.Histogram[next]
		}
		p.sample(name+"_bucket", float64(sum), append(labels, "le", "+Inf")...)
		p.sample(name+"_sum", m.Total, labels...)
		p.sample(name+"_count", float64(sum), labels...)
	})
	for _, m := range methodMetrics {
		p.begin(m.name, m.help, m.t)
		each(func(of *Method, labels []string) { p.sample(m.name, m.value(of), labels...) })
	}
}
