package child

import (
	"context"
	"errors"
	"io"
	"os/exec"

	"github.com/viaduct-go/viaduct/procspawn"
)

// MaxLinks is how many links a child can have. Package os/exec hands no pipes over on Windows, so
// there is the one that procspawn makes.
const MaxLinks = 1

// link is the parent's end, whose Close ends the child.
type link struct {
	*procspawn.Link
	process *procspawn.Process
}

func (l link) Close() error {
	l.process.Stop()
	return nil
}

// StartLinks starts cmd as a child with so many links to it.
func StartLinks(cmd *exec.Cmd, n int) (*Child, []io.ReadWriteCloser, error) {
	if n != 1 {
		return nil, nil, errors.ErrUnsupported
	}
	p, err := procspawn.Start(context.Background(), cmd, nil)
	if err != nil {
		return nil, nil, err
	}
	return &Child{}, []io.ReadWriteCloser{link{p.Link(), p}}, nil
}

// Inherited returns a child's end of link i. The child ends with it, and needs no lifeline.
func Inherited(i int) (io.ReadWriteCloser, error) {
	if i != 0 {
		return nil, errors.ErrUnsupported
	}
	return procspawn.Inherited(context.Background(), nil)
}
