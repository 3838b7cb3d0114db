package debugpage

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// family is a metric as it was read.
type family struct {
	name, help, typ string
	samples         []sample
}

type sample struct {
	name   string
	labels map[string]string
	value  float64
}

var (
	headLine   = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)`)
)

// parseProm reads text of the format 0.0.4, and takes nothing that its description does not allow.
func parseProm(text string) (families []*family, err error) {
	var f *family
	seen, series := map[string]bool{}, map[string]bool{}
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if head := headLine.FindStringSubmatch(line); head != nil {
			switch {
			case head[1] == "HELP":
				if seen[head[2]] {
					return nil, fmt.Errorf("%s comes twice", head[2])
				}
				seen[head[2]] = true
				f = &family{name: head[2], help: head[3]}
				families = append(families, f)
			case f == nil || f.name != head[2] || f.typ != "" || len(f.samples) > 0:
				return nil, fmt.Errorf("TYPE of %s has no place here", head[2])
			case !slices.Contains([]string{"counter", "gauge", "histogram"}, head[3]):
				return nil, fmt.Errorf("there is no type %s", head[3])
			default:
				f.typ = head[3]
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || f == nil || f.typ == "" {
			return nil, fmt.Errorf("line %q", line)
		}
		s := sample{name: m[1], labels: map[string]string{}}
		for rest := m[2]; rest != ""; {
			pair := labelPair.FindStringSubmatch(rest)
			if pair == nil {
				return nil, fmt.Errorf("labels %q", rest)
			}
			if _, twice := s.labels[pair[1]]; twice {
				return nil, fmt.Errorf("label %s comes twice", pair[1])
			}
			s.labels[pair[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(pair[2])
			rest = rest[len(pair[0]):]
		}
		base := s.name
		if f.typ == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
		}
		if base != f.name || f.typ == "histogram" && base == s.name {
			return nil, fmt.Errorf("%s is among those of %s", s.name, f.name)
		}
		if s.value, err = strconv.ParseFloat(m[3], 64); err != nil {
			return nil, err
		}
		if key := fmt.Sprint(s.name, s.labels); series[key] {
			return nil, fmt.Errorf("%s comes twice", key)
		} else {
			series[key] = true
		}
		f.samples = append(f.samples, s)
	}
	for _, f := range families {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	return families, nil
}

// check looks at what the type of f asks for.
func (f *family) check() error {
	switch {
	case f.typ == "" || len(f.samples) == 0:
		return fmt.Errorf("%s has no type, or no sample", f.name)
	case (f.typ == "counter") != strings.HasSuffix(f.name, "_total"):
		return fmt.Errorf("%s is a %s", f.name, f.typ)
	case f.typ != "histogram":
		return nil
	}
	le, last := math.Inf(-1), 0.0
	for _, s := range f.samples {
		switch {
		case strings.HasSuffix(s.name, "_bucket"):
			edge, err := strconv.ParseFloat(s.labels["le"], 64)
			if err != nil || edge <= le || s.value < last {
				return fmt.Errorf("bucket %v of %s does not follow %v", s, f.name, le)
			}
			le, last = edge, s.value
		case !math.IsInf(le, 1):
			return fmt.Errorf("%s has no bucket for all", f.name)
		case strings.HasSuffix(s.name, "_count"):
			if s.value != last {
				return fmt.Errorf("%s counts %v, and its buckets %v", f.name, s.value, last)
			}
			le, last = math.Inf(-1), 0
		}
	}
	if !math.IsInf(le, -1) {
		return fmt.Errorf("%s has no count at its end", f.name)
	}
	return nil
}

// TestPrometheus: the text is what the format's description allows, and says what there is.
func TestPrometheus(t *testing.T) {
	var b bytes.Buffer
	s := example()
	writePrometheus(&b, s)
	families, err := parseProm(b.String())
	require.NoError(t, err)
	of := func(name string, labels ...string) *sample {
		for _, f := range families {
			for _, s := range f.samples {
				match := s.name == name
				for i := 0; i < len(labels); i += 2 {
					match = match && s.labels[labels[i]] == labels[i+1]
				}
				if match {
					return &s
				}
			}
		}
		t.Fatalf("no sample %s %v", name, labels)
		return nil
	}
	require.EqualValues(t, 75, of("viaduct_oldest_call_seconds", "peer", "worker[0]", "direction", "made").value)
	require.EqualValues(t, 6, of("viaduct_oldest_call_seconds", "peer", "worker[0]", "direction", "served").value)
	require.EqualValues(t, -5, of("viaduct_credit_bytes", "class", "call").value)
	require.EqualValues(t, 4, of("viaduct_pool_jobs_waiting", "pool", "worker").value)
	require.EqualValues(t, 0, of("viaduct_supervisor_up", "supervisor", "db").value)
	require.Equal(t, s.Peers[0].Methods[1].Method, of("viaduct_method_notifications_total", "direction", "served").labels["method"])
	d := "viaduct_method_duration_seconds"
	require.EqualValues(t, 1230, of(d+"_count", "method", "Arith.Add").value)
	require.EqualValues(t, 1.5, of(d+"_sum", "method", "Arith.Add").value)
	// 2 from 2^13 ns, 900 from 2^14, 300 from 2^15, 20 from 2^16
	require.EqualValues(t, 2, of(d+"_bucket", "method", "Arith.Add", "le", "1.6384e-05").value)
	require.EqualValues(t, 1202, of(d+"_bucket", "method", "Arith.Add", "le", "6.5536e-05").value)

	b.Reset()
	writePrometheus(&b, &Snapshot{})
	require.Empty(t, b.String())
}

// TestPromChecker: the reader of this test takes not everything.
func TestPromChecker(t *testing.T) {
	head := "# HELP a_total x\n# TYPE a_total counter\n"
	hist := "# HELP h x\n# TYPE h histogram\n"
	for _, text := range []string{
		"a 1\n", head, head + "a_total x\n", head + "a_total 1", head + "b_total 1\n", head + "a_total 1\na_total 1\n",
		head + "a_total{l=\"1\",l=\"2\"} 1\n", head + "a_total{l=\"a\"b\"} 1\n", head + "a_total{l=\"\\x\"} 1\n", head + "a_total 1\n" + head + "a_total 2\n",
		"# HELP a x\n# TYPE a counter\na 1\n", "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
		hist + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n", hist + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
		hist + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n", hist + "h 1\n",
	} {
		_, err := parseProm(text)
		require.Error(t, err, text)
	}
	_, err := parseProm(head + "a_total{l=\"a\\\\\\\"\\n\"} 1\n" + hist + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n")
	require.NoError(t, err)
}
