//go:build unix

package procspawn

import (
	"os"
	"os/signal"
	"syscall"
)

// terminalSignals reach all processes of a terminal's foreground group at the same time: the parent
// is to end its children in order. The kernel sends SIGHUP, besides, to a stopped child whose
// parent dies, together with the SIGCONT that lets it clean up.
var terminalSignals = []os.Signal{syscall.SIGINT, syscall.SIGHUP}

// catchSIGPIPE makes a write to a broken stdout or stderr fail with EPIPE, as on every other
// descriptor, instead of killing the process. It often happens just when the parent is gone and the
// process still has to clean up. Nobody reads the channel. Unlike signal.Ignore this does not reach
// the programs that the process starts.
func catchSIGPIPE() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
