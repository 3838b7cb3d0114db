package procspawn

import (
	"os"
	"os/signal"
	"sync"
)

// shield keeps the signals of a terminal from killing this process, until drop is called. What else
// the program asks of package signal is not affected, nor are the programs that it starts.
type shield struct {
	c    chan os.Signal // nobody reads it
	down sync.Once
}

func newShield() *shield {
	s := &shield{c: make(chan os.Signal, 1)}
	for _, sig := range terminalSignals {
		// Programs that this one starts ignore what it ignores, but not what it catches.
		if !signal.Ignored(sig) {
			signal.Notify(s.c, sig)
		}
	}
	return s
}

// drop lets the signals kill again.
func (s *shield) drop() { s.down.Do(func() { signal.Stop(s.c) }) }
