//go:build !unix && !windows

package procspawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// errNoPipes is what Start returns here, before it has done anything.
var errNoPipes = fmt.Errorf("procspawn: children are not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type childEnd = *os.File

func newPipes() (parent *pipeConn, childRead, childWrite childEnd, err error) {
	return nil, nil, nil, errNoPipes
}

func newStdioPipes() (parent *pipeConn, childRead, childWrite *os.File, err error) {
	return nil, nil, nil, errNoPipes
}

func newCrashPipe() (parent *os.File, child childEnd, err error)   { return nil, nil, errNoPipes }
func newOutPipe() (parent, child *os.File, err error)              { return nil, nil, errNoPipes }
func newInPipe() (parent, child *os.File, err error)               { return nil, nil, errNoPipes }
func handOver(*exec.Cmd, ...childEnd) (words [2]string, err error) { return words, errNoPipes }
func checkAccess(r, w *os.File) error                              { return errNoPipes }
func readPipe(f *os.File, p []byte) (int, error)                   { return f.Read(p) }
func writeNow(f *os.File, p []byte) (int, error)                   { return 0, errNoWriteNow }
func readNow(f *os.File, p []byte) (int, error)                    { return 0, nil }
func waitHangup(*pipeConn) bool                                    { return false }
func stopWaiting(_ *pipeConn, ended <-chan struct{})               { <-ended }
func closePipe(f *os.File) error                                   { return f.Close() }
func isBrokenPipe(err error) bool                                  { return false }
func catchSIGPIPE()                                                {}

var terminalSignals = []os.Signal{os.Interrupt}

// family stands for the process of a child.
type family struct{ cmd *exec.Cmd }

func (f *family) start(*exec.Cmd, *Options) error { return errNoPipes }
func (f *family) wait(func()) error               { return errNoPipes }
func (f *family) terminate() error                { return errNoPipes }
func (f *family) kill() error                     { return errNoPipes }
func (f *family) status() (int, os.Signal)        { return -1, nil }
