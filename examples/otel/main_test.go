package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// asProgram, in the environment, has the test binary be the program.
const asProgram = "VIADUCT_TEST_OTEL"

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() || os.Getenv(asProgram) != "" {
		main()
		return
	}
	// With the race detector a program sleeps for 1 s when it exits, and a child
	// whose link is closed has less.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// A span is what the exporter prints of it.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	SpanKind    trace.SpanKind
	Attributes  []keyValue
	Resource    []keyValue
	Status      struct{ Code, Description string }
}

type keyValue struct {
	Key   string
	Value struct{ Value any }
}

func (s *span) of(list []keyValue, key string) any {
	for _, a := range list {
		if a.Key == key {
			return a.Value.Value
		}
	}
	return nil
}

// said is a span, and below whom it is.
type said struct {
	Process, Name, Above string
	Kind                 trace.SpanKind
	Failed               string
}

func TestOneTrace(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)
	require.Equal(t, "lamp for 4\n", stderr.String())

	var spans []span
	byID := map[string]span{}
	for d := json.NewDecoder(&stdout); ; {
		var s span
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		spans = append(spans, s)
		byID[s.SpanContext.SpanID] = s
	}
	process := func(s span) string { p, _ := s.of(s.Resource, "service.name").(string); return p }
	var got []said
	for _, s := range spans {
		require.Equal(t, spans[0].SpanContext.TraceID, s.SpanContext.TraceID)
		above := ""
		if p, ok := byID[s.Parent.SpanID]; ok {
			above = process(p) + " " + p.Name
			if s.SpanKind == trace.SpanKindServer { // both ends of one call
				require.Equal(t, s.Name, p.Name)
				require.Equal(t, trace.SpanKindClient, p.SpanKind)
				require.Equal(t, s.Status, p.Status, "of %s", s.Name)
			}
		}
		if s.Name != "shopping" {
			require.Equal(t, "viaduct", s.of(s.Attributes, "rpc.system.name"))
			require.Equal(t, s.Name, s.of(s.Attributes, "rpc.method"))
		}
		require.Equal(t, s.Status.Code == "Error", s.of(s.Attributes, "error.type") != nil)
		got = append(got, said{process(s), s.Name, above, s.SpanKind, s.Status.Description})
		if s.Name == "Prices.Of" && s.SpanKind == trace.SpanKindClient {
			require.Equal(t, trace.SpanKindServer, byID[s.Parent.SpanID].SpanKind)
			require.Empty(t, byID[s.Parent.SpanID].Status.Description, "it hangs under the call that succeeded")
		}
	}
	const client, server = trace.SpanKindClient, trace.SpanKindServer
	require.ElementsMatch(t, []said{
		{"parent", "shopping", "", trace.SpanKindInternal, ""},
		{"parent", "Shop.Looked", "parent shopping", client, ""},
		{"child", "Shop.Looked", "parent Shop.Looked", server, ""},
		{"parent", "Shop.Buy", "parent shopping", client, ""},
		{"child", "Shop.Buy", "parent Shop.Buy", server, ""},
		{"child", "Prices.Of", "child Shop.Buy", client, ""},
		{"parent", "Prices.Of", "child Prices.Of", server, ""},
		{"parent", "Shop.Buy", "parent shopping", client, "nothing to buy"},
		{"child", "Shop.Buy", "parent Shop.Buy", server, "nothing to buy"},
	}, got)
}
