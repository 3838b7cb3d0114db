package capture

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// starved keeps what it gets as a goroutine does that has to wait for its turn.
type starved struct {
	Tail
	wait time.Duration
}

func (s *starved) Add(p []byte) {
	<-time.After(s.wait)
	s.Tail.Add(p)
}

// TestFinishReadsAll: on a machine that has no time for it for more than writerGrace, what an exited
// process has left in a pipe is read all the same, before Finish returns, also where it goes to a
// caller's writer besides, and whether or not that writes.
func TestFinishReadsAll(t *testing.T) {
	for name, to := range map[string]io.Writer{"no writer": nil, "a writer": io.Discard, "a writer that blocks": new(stuck)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Streams
			late := &starved{wait: writerGrace + writerGrace/4}
			w, err := s.drainTo(to, late)
			require.NoError(t, err)
			_, err = w.WriteString("last words")
			require.NoError(t, err)
			s.Run() // closes w
			s.Finish(time.Now())
			got, ok := late.Bytes()
			assert.True(t, ok)
			assert.Equal(t, "last words", string(got))
			s.Release(0)
		})
	}
}

// stuck is a writer that does not return.
type stuck struct{}

func (*stuck) Write([]byte) (int, error) { select {} }
