package testkit

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Journal is a slog.Handler that remembers.
type Journal struct {
	slog.Handler
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func NewJournal() (*Journal, *slog.Logger) {
	j := &Journal{changed: make(chan struct{}, 1000)}
	j.Handler = slog.NewTextHandler(j, nil)
	return j, slog.New(j)
}

func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(p)
	select {
	case j.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

// All is what has been written.
func (j *Journal) All() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// WaitFor waits until each of want is in the journal.
func (j *Journal) WaitFor(t testing.TB, want ...string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for _, w := range want {
		for !strings.Contains(j.All(), w) {
			select {
			case <-j.changed:
			case <-timeout:
				require.Contains(t, j.All(), w)
			}
		}
	}
}

// ours returns the goroutines that the library or net/rpc has started, by their ids.
func ours() map[string]string {
	list := make(map[string]string)
	buf := make([]byte, 4<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(g, " [")
		for _, pkg := range []string{"github.com/viaduct-go/viaduct", "net/rpc.", "sync.(*WaitGroup).Go"} {
			if strings.Contains(g, "created by "+pkg) && !strings.Contains(g, "_test.") {
				list[id] = g
			}
		}
	}
	return list
}

// NoneLeft requires that, at the end of the test, behind all other clean-up
// registered later, nothing runs that the library has started since.
func NoneLeft(t testing.TB) {
	before := ours()
	t.Cleanup(func() {
		var left map[string]string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			left = ours()
			for id := range before {
				delete(left, id)
			}
			if len(left) == 0 {
				return
			}
		}
		for _, g := range left {
			t.Errorf("%d goroutines left, for instance\n%s", len(left), g)
			return
		}
	})
}

// Soon is a context for what must not hang.
func Soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
