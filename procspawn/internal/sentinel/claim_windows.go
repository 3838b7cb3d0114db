package sentinel

import (
	"os"
	"syscall"
)

const (
	inheritedKind = kindHandle
	leastNumber   = 1
)

// claim makes files of the handles of e. If either end of the link is not an open pipe all stay as
// they are: they belong to somebody else.
func claim(e ends) (r, w, crash *os.File, err error) {
	in, out := syscall.Handle(e.r), syscall.Handle(e.w)
	if e.kind == kindStdio {
		in, out = syscall.Stdin, syscall.Stdout
	}
	problem := check(in, "read")
	if p := check(out, "write"); p != "" {
		if problem != "" {
			problem += ", and "
		}
		problem += p
	}
	if problem != "" {
		return nil, nil, nil, sentinelError(problem + hint(e.kind))
	}
	if e.kind == kindStdio {
		return moveStdio()
	}
	if err = keep(in); err == nil {
		err = keep(out)
	}
	if err != nil {
		return nil, nil, nil, sentinelError("the link's handles cannot be kept from the programs that this one starts: " + err.Error())
	}
	// NewFile sees by itself whether a handle is overlapped, and then puts it on the poller.
	r, w = os.NewFile(uintptr(in), "link read end"), os.NewFile(uintptr(out), "link write end")
	if c := syscall.Handle(e.crash); c != 0 && check(c, "crash") == "" && keep(c) == nil {
		crash = os.NewFile(uintptr(c), "crash output")
	}
	return r, w, crash, nil
}

// keep sees to it that programs which this one starts do not inherit the handle. One that outlives
// us would keep the parent from seeing the end of the link.
func keep(h syscall.Handle) error {
	return syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, 0)
}

func hint(kind string) string {
	if kind == kindStdio {
		return ": was this program started without a pipe there?"
	}
	return ": were the link's handles not passed on by a program between this one and its parent?"
}

// check returns what is wrong with a handle, "" if it is an open pipe.
func check(h syscall.Handle, name string) string {
	who := "handle " + itoa(int(h)) + " (the link's " + name + " end) "
	if int(h) <= 0 {
		return "the link's " + name + " end is not open"
	}
	kind, err := syscall.GetFileType(h)
	switch {
	case err != nil:
		return who + "is not an open file (" + err.Error() + ")"
	case kind == syscall.FILE_TYPE_PIPE:
		return ""
	case kind == syscall.FILE_TYPE_DISK:
		return who + "is a file on a disk, not a pipe"
	case kind == syscall.FILE_TYPE_CHAR:
		return who + "is a console or another device, not a pipe"
	}
	return who + "is not a pipe"
}

// moveStdio takes the link from standard input and output. What the program reads from standard
// input is empty from now on, and what it prints to standard output goes to standard error.
func moveStdio() (r, w, crash *os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, nil, sentinelError("cannot open " + os.DevNull + " for standard input: " + err.Error())
	}
	if err = keep(syscall.Stdin); err == nil {
		err = keep(syscall.Stdout)
	}
	in := syscall.Handle(null.Fd())
	if err == nil {
		err = setStdHandle(syscall.STD_INPUT_HANDLE, in)
	}
	if err == nil {
		err = setStdHandle(syscall.STD_OUTPUT_HANDLE, syscall.Stderr)
	}
	if err != nil {
		null.Close()
		return nil, nil, nil, sentinelError("the link cannot be taken from standard input and output: " + err.Error())
	}
	// These very files: if they were dropped, the collector would close their handles.
	r, w = os.Stdin, os.Stdout
	os.Stdin, os.Stdout = null, os.Stderr
	syscall.Stdin, syscall.Stdout = in, syscall.Stderr
	return r, w, nil, nil
}

var procSetStdHandle = syscall.NewLazyDLL("kernel32.dll").NewProc("SetStdHandle")

func setStdHandle(which int, h syscall.Handle) error {
	if ok, _, err := procSetStdHandle.Call(uintptr(which), uintptr(h)); ok == 0 {
		return err
	}
	return nil
}
