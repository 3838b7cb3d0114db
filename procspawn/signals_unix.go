//go:build unix

package procspawn

import (
	"os"
	"os/signal"
	"syscall"
)

// terminalSignals reach all processes of a terminal's foreground group
// together: the parent is to end its children in order. SIGHUP comes, besides, from the
// kernel to a stopped child whose parent dies, together with the SIGCONT that
// is to let it clean up.
var terminalSignals = []os.Signal{syscall.SIGINT, syscall.SIGHUP}

// catchSIGPIPE makes a write to a broken stdout or stderr fail with EPIPE, as
// on every other descriptor, instead of killing the process: it often happens
// just when the parent is gone and the process still has to clean up. Nobody
// reads the channel. Unlike signal.Ignore this does not reach grandchildren.
func catchSIGPIPE() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
