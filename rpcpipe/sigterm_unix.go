//go:build unix

package rpcpipe

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// newTermination returns nil if this program ignores the signal, or was started so.
func newTermination() *termination {
	if signal.Ignored(syscall.SIGTERM) {
		return nil
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	return &termination{
		signals: signals,
		stop:    func() { signal.Stop(signals) },
		raise:   raiseTermination,
	}
}

// raiseTermination ends this process as the signal does that nobody catches.
func raiseTermination() {
	signal.Reset(syscall.SIGTERM)
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	// Another thread may be the one that takes it. Until then main must not get to return: whoever
	// waits for this process is to learn of the signal.
	<-time.After(time.Second)
}
