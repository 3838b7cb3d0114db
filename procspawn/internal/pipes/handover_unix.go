//go:build unix

package pipes

import (
	"os"
	"os/exec"
)

// ChildEnd is the end of a pipe that a child inherits by HandOver. The caller closes it once the
// child has been started.
type ChildEnd = *os.File

// New makes the two pipes of a link. os.Pipe sees to it that no process started meanwhile inherits
// them.
func New() (parent *Conn, childRead, childWrite ChildEnd, err error) {
	pr, cw, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	cr, pw, err := os.Pipe()
	if err != nil {
		pr.Close()
		cw.Close()
		return nil, nil, nil, err
	}
	return newConn(pr, pw), cr, cw, nil
}

// NewStdio is New for a child that takes its ends for standard input and output.
func NewStdio() (parent *Conn, childRead, childWrite *os.File, err error) { return New() }

// NewCrash makes a pipe for the crash output of a child.
func NewCrash() (parent *Reader, child ChildEnd, err error) { return NewOut() }

// NewOut makes a pipe for what a child prints.
func NewOut() (parent *Reader, child *os.File, err error) {
	r, child, err := os.Pipe()
	return &Reader{f: r}, child, err
}

// NewIn makes a pipe for what a child reads.
func NewIn() (parent, child *os.File, err error) {
	child, parent, err = os.Pipe()
	return parent, child, err
}

// HandOver has the child of cmd inherit ends, and returns the numbers that they have there. The
// caller's own files come first and keep their numbers.
func HandOver(cmd *exec.Cmd, ends ...ChildEnd) (numbers []int, err error) {
	files := cmd.ExtraFiles[:len(cmd.ExtraFiles):len(cmd.ExtraFiles)]
	for _, end := range ends {
		numbers = append(numbers, 3+len(files)) // 0 to 2 are the standard ones
		files = append(files, end)
	}
	cmd.ExtraFiles = files
	return numbers, nil
}
