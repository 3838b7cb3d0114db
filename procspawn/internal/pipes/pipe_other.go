//go:build !unix && !windows

package pipes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// errNoPipes is what making a pipe fails with here.
var errNoPipes = fmt.Errorf("procspawn: children are not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type ChildEnd = *os.File

func New() (parent *Conn, childRead, childWrite ChildEnd, err error) {
	return nil, nil, nil, errNoPipes
}

func NewStdio() (parent *Conn, childRead, childWrite *os.File, err error) {
	return nil, nil, nil, errNoPipes
}

func NewCrash() (parent *Reader, child ChildEnd, err error) { return nil, nil, errNoPipes }
func NewOut() (parent *Reader, child *os.File, err error)   { return nil, nil, errNoPipes }
func NewIn() (parent, child *os.File, err error)            { return nil, nil, errNoPipes }
func HandOver(*exec.Cmd, ...ChildEnd) ([]int, error)        { return nil, errNoPipes }
func IsBroken(err error) bool                               { return false }

func checkAccess(r, w *os.File) error            { return errNoPipes }
func readPipe(f *os.File, p []byte) (int, error) { return f.Read(p) }
func writeNow(f *os.File, p []byte) (int, error) { return 0, ErrNoWriteNow }
func readNow(f *os.File, p []byte) (int, error)  { return 0, nil }
func awaitHangup(*Conn) bool                     { return false }
func stopWaiting(_ *Conn, ended <-chan struct{}) { <-ended }
func closePipe(f *os.File) error                 { return f.Close() }

const TellsHangup = false

func (*Conn) HungUp() bool { return false }
