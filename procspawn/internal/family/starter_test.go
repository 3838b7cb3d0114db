//go:build linux || freebsd

package family

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStarter: the thread is there as long as what it has started, and not for what has failed.
func TestStarter(t *testing.T) {
	var s starterThread
	failed := errors.New("failed")
	require.Equal(t, failed, s.start(func() error { return failed }))
	require.Zero(t, s.users)
	var wg sync.WaitGroup
	running := 0 // owned by the thread
	for range 8 {
		wg.Go(func() {
			require.NoError(t, s.start(func() error { running++; return nil }))
		})
	}
	wg.Wait()
	require.Equal(t, 8, running)
	require.Equal(t, 8, s.users)
	ended := s.ended
	for range 8 {
		select {
		case <-ended:
			t.Fatal("the thread has ended although something that it has started has not")
		default:
		}
		s.release()
	}
	<-ended
	require.NoError(t, s.start(func() error { return nil })) // by another thread
	s.release()
}
