package procspawn

import (
	"os"
	"syscall"
)

// terminalSignals reach all processes of a console at the same time: the parent is to end its
// children in order. os.Interrupt stands for Ctrl-C and Ctrl-Break, SIGTERM for the end of the
// console or of the session, after which the system leaves some seconds.
var terminalSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// catchSIGPIPE has nothing to do: there is no such signal here.
func catchSIGPIPE() {}
