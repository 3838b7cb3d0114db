package pipes

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// ChildEnd is the end of a pipe that a child inherits by HandOver. The caller closes it once the
// child has been started. It is no os.File: that would bind it to this process's poller, and the
// end of a pipe can be bound to one only.
type ChildEnd windows.Handle

func (e ChildEnd) Close() error { return windows.CloseHandle(windows.Handle(e)) }

// pipeSize is what a pipe holds before a Write waits, as on other systems.
const pipeSize = 64 << 10

// Which way a pipe goes.
const (
	toParent = windows.PIPE_ACCESS_INBOUND
	toChild  = windows.PIPE_ACCESS_OUTBOUND
)

// newPipe makes a pipe. The parent's end is overlapped, so that Close and deadlines release who is
// blocked. The child's is, too, unless an ordinary program or the Go runtime is to use it, which
// know nothing of overlapped handles. (os.Pipe makes both ends synchronous.)
//
// Nobody else can open the pipe: its one instance is taken at once.
func newPipe(way uint32, childFlags uint32) (parent *os.File, child ChildEnd, err error) {
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`\\.\pipe\viaduct-%d-%s`, os.Getpid(), rand.Text()))
	if err != nil {
		return nil, 0, err
	}
	server, err := windows.CreateNamedPipe(name,
		way|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS,
		1, pipeSize, pipeSize, 0, nil)
	if err != nil {
		return nil, 0, os.NewSyscallError("CreateNamedPipe", err)
	}
	access := uint32(windows.GENERIC_WRITE | windows.FILE_READ_ATTRIBUTES)
	if way == toChild {
		access = windows.GENERIC_READ | windows.FILE_WRITE_ATTRIBUTES
	}
	client, err := windows.CreateFile(name, access, 0, nil, windows.OPEN_EXISTING, childFlags, 0)
	if err != nil {
		windows.CloseHandle(server)
		return nil, 0, os.NewSyscallError("CreateFile", err)
	}
	return os.NewFile(uintptr(server), "pipe"), ChildEnd(client), nil
}

// New makes the two pipes of a link.
func New() (parent *Conn, childRead, childWrite ChildEnd, err error) {
	return linkPipes(windows.FILE_FLAG_OVERLAPPED)
}

func linkPipes(childFlags uint32) (parent *Conn, childRead, childWrite ChildEnd, err error) {
	r, cw, err := newPipe(toParent, childFlags)
	if err != nil {
		return nil, 0, 0, err
	}
	w, cr, err := newPipe(toChild, childFlags)
	if err != nil {
		r.Close()
		cw.Close()
		return nil, 0, 0, err
	}
	return newConn(r, w), cr, cw, nil
}

// NewStdio is New for a child that takes its ends for standard input and output.
func NewStdio() (parent *Conn, childRead, childWrite *os.File, err error) {
	parent, r, w, err := linkPipes(0)
	if err != nil {
		return nil, nil, nil, err
	}
	return parent, os.NewFile(uintptr(r), "standard input"), os.NewFile(uintptr(w), "standard output"), nil
}

// NewCrash makes a pipe for the crash output of a child.
func NewCrash() (parent *Reader, child ChildEnd, err error) {
	r, child, err := newPipe(toParent, 0)
	return &Reader{f: r}, child, err
}

// NewOut makes a pipe for what a child prints.
func NewOut() (parent *Reader, child *os.File, err error) {
	r, child, err := streamPipe(toParent)
	return &Reader{f: r}, child, err
}

// NewIn makes a pipe for what a child reads.
func NewIn() (parent, child *os.File, err error) { return streamPipe(toChild) }

func streamPipe(way uint32) (parent, child *os.File, err error) {
	parent, end, err := newPipe(way, 0)
	if err != nil {
		return nil, nil, err
	}
	return parent, os.NewFile(uintptr(end), "stream"), nil
}

// HandOver has the child of cmd inherit ends, beside the caller's own handles, and returns the
// numbers that they have there. A process gets only what its list of handles names, so others that
// are started at the same time do not get these.
func HandOver(cmd *exec.Cmd, ends ...ChildEnd) (numbers []int, err error) {
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	if attr.NoInheritHandles || attr.ParentProcess != 0 {
		return nil, errors.New("procspawn: SysProcAttr.NoInheritHandles and ParentProcess keep the link's handles from the child: leave them out, or use Options.Stdio")
	}
	list := attr.AdditionalInheritedHandles[:len(attr.AdditionalInheritedHandles):len(attr.AdditionalInheritedHandles)]
	for _, end := range ends {
		if err := windows.SetHandleInformation(windows.Handle(end), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
			return nil, os.NewSyscallError("SetHandleInformation", err)
		}
		numbers = append(numbers, int(end))
		list = append(list, syscall.Handle(end))
	}
	attr.AdditionalInheritedHandles = list
	cmd.SysProcAttr = &attr
	return numbers, nil
}
