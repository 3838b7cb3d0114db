//go:build linux || freebsd

package family

import (
	"runtime"
	"sync"
)

// starter starts the processes that get a signal when their parent dies.
var starter starterThread

// starterThread is a thread that exists as long as any process that was started by it. Linux sends
// death signals when the thread ends that has forked, and Go ends threads when it likes.
type starterThread struct {
	mu    sync.Mutex
	users int // processes that live, or are being started
	calls chan func()
	ended chan struct{} // closed when the thread is about to end
}

// start calls f in the thread. If f fails nothing has been started. Otherwise release is to follow
// when the process has been waited for.
func (s *starterThread) start(f func() error) error {
	s.mu.Lock()
	if s.users++; s.users == 1 {
		s.calls, s.ended = make(chan func()), make(chan struct{})
		go run(s.calls, s.ended)
	}
	calls := s.calls
	s.mu.Unlock()
	result := make(chan error)
	calls <- func() { result <- f() }
	err := <-result
	if err != nil {
		s.release()
	}
	return err
}

// release lets the thread end when nobody needs it any more.
func (s *starterThread) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		close(s.calls)
		<-s.ended
	}
}

func run(calls <-chan func(), ended chan<- struct{}) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
	defer close(ended)
	if onFirstThread() {
		// That one would not end, and the process would seem to be what Options.OnThread makes of
		// the thread. While it is locked here another one is found.
		other := make(chan struct{})
		go run(calls, other)
		<-other
		runtime.UnlockOSThread()
		return
	}
	for f := range calls {
		f()
	}
}
