//go:build !unix

package procspawn

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// errNoPipes is what Start returns here, before it has done anything.
var errNoPipes = fmt.Errorf("procspawn: children are not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func newPipes() (parent *pipeConn, childRead, childWrite *os.File, err error) {
	return nil, nil, nil, errNoPipes
}

func checkAccess(r, w *os.File) error                 { return errNoPipes }
func writeNow(f *os.File, p []byte) (int, error)      { return 0, errNoWriteNow }
func readNow(f *os.File, p []byte) (int, error)       { return 0, nil }
func waitHangup(f *os.File) bool                      { return false }
func isBrokenPipe(err error) bool                     { return false }
func catchSIGPIPE()                                   {}
func terminate(p *os.Process) error                   { return errNoPipes }
func exitStatus(ps *os.ProcessState) (int, os.Signal) { return ps.ExitCode(), nil }
