//go:build !unix && !windows

package procspawn

import "os"

var terminalSignals = []os.Signal{os.Interrupt}

// catchSIGPIPE has nothing to do: no process is a child here.
func catchSIGPIPE() {}
