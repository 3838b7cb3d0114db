// Package profile writes where the processor time of a process and its children goes, as files of
// runtime/pprof.
package profile

import (
	"errors"
	"io/fs"
	"os"
	"runtime/pprof"
)

// variable of the environment has the name of the file that a child is to write.
const variable = "VIADUCT_BENCH_PROFILE"

// Parent profiles this process into name.parent.pprof until stop is called, and has the first child
// that is started write name.child.pprof, unless it is killed. No name means no profile.
func Parent(name string) (stop func() error, err error) {
	if name == "" {
		return nothing, nil
	}
	child := name + ".child.pprof"
	if err := os.Remove(child); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // a child does not write over anything
	}
	if err := os.Setenv(variable, child); err != nil {
		return nil, err
	}
	stopParent, err := write(name+".parent.pprof", 0)
	if err != nil {
		return nil, err
	}
	return func() error {
		if info, err := os.Stat(child); err == nil && info.Size() == 0 {
			os.Remove(child) // it was killed
		}
		return stopParent()
	}, nil
}

// Child profiles this process, if its parent wants it, until stop is called.
func Child() (stop func() error, err error) {
	name := os.Getenv(variable)
	if name == "" {
		return nothing, nil
	}
	stop, err = write(name, os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nothing, nil // another child was the first
	}
	return stop, err
}

func nothing() error { return nil }

func write(name string, flag int) (stop func() error, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|flag, 0o666)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
