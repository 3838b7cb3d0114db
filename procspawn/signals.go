package procspawn

import (
	"os"
	"os/signal"
	"sync"
)

// shield keeps the signals of a terminal from killing the process, as long as
// it is up. Nobody reads its channel; what else the program asks package
// signal for is not affected, nor are the programs that it starts.
type shield struct {
	c    chan os.Signal
	down sync.Once
}

func newShield() *shield {
	s := &shield{c: make(chan os.Signal, 1)}
	for _, sig := range terminalSignals {
		if !signal.Ignored(sig) { // else the programs that this one starts would not ignore it any more
			signal.Notify(s.c, sig)
		}
	}
	return s
}

// drop lets the signals kill again.
func (s *shield) drop() { s.down.Do(func() { signal.Stop(s.c) }) }
