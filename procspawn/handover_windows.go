package procspawn

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// childEnd is the end of a pipe that a child inherits. It is no os.File: that
// would bind the pipe's end to this process's poller, and an end can be bound to one only.
type childEnd windows.Handle

func (e childEnd) Close() error { return windows.CloseHandle(windows.Handle(e)) }

// pipeSize is what a pipe holds before a Write waits, as on other systems.
const pipeSize = 64 << 10

// Which way a pipe goes.
const (
	toParent = windows.PIPE_ACCESS_INBOUND
	toChild  = windows.PIPE_ACCESS_OUTBOUND
)

// newPipe makes a pipe. The parent's end is overlapped, so that Close and
// deadlines release who is blocked; the child's is, too, unless an ordinary program
// or the Go runtime is to use it: those know nothing of overlapped handles. (os.Pipe makes
// both ends synchronous.)
//
// Nobody else can open the pipe: its one instance is taken at once.
func newPipe(way uint32, childFlags uint32) (parent *os.File, child childEnd, err error) {
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
	return os.NewFile(uintptr(server), "pipe"), childEnd(client), nil
}

// newPipes makes the two pipes of a link.
func newPipes() (parent *pipeConn, childRead, childWrite childEnd, err error) {
	return linkPipes(windows.FILE_FLAG_OVERLAPPED)
}

func linkPipes(childFlags uint32) (parent *pipeConn, childRead, childWrite childEnd, err error) {
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
	return &pipeConn{r: r, w: w}, cr, cw, nil
}

// newStdioPipes is newPipes for a child that takes its ends for standard input and output.
func newStdioPipes() (parent *pipeConn, childRead, childWrite *os.File, err error) {
	parent, r, w, err := linkPipes(0)
	if err != nil {
		return nil, nil, nil, err
	}
	return parent, os.NewFile(uintptr(r), "standard input"), os.NewFile(uintptr(w), "standard output"), nil
}

// newCrashPipe makes a pipe for the crash output of a child.
func newCrashPipe() (parent *os.File, child childEnd, err error) { return newPipe(toParent, 0) }

// newOutPipe makes a pipe for what a child prints.
func newOutPipe() (parent, child *os.File, err error) { return streamPipe(toParent) }

// newInPipe makes a pipe for what a child reads.
func newInPipe() (parent, child *os.File, err error) { return streamPipe(toChild) }

func streamPipe(way uint32) (parent, child *os.File, err error) {
	parent, end, err := newPipe(way, 0)
	if err != nil {
		return nil, nil, err
	}
	return parent, os.NewFile(uintptr(end), "stream"), nil
}

// handOver has the child of cmd inherit ends, beside the caller's own handles,
// and returns the sentinel that says so. A process gets only what its
// list of handles names, so those of others which are started now do not get these.
func handOver(cmd *exec.Cmd, ends ...childEnd) (words [2]string, err error) {
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	if attr.NoInheritHandles || attr.ParentProcess != 0 {
		return words, errors.New("procspawn: SysProcAttr.NoInheritHandles and ParentProcess keep the link's handles from the child: leave them out, or use Options.Stdio")
	}
	list := attr.AdditionalInheritedHandles[:len(attr.AdditionalInheritedHandles):len(attr.AdditionalInheritedHandles)]
	var handles []int
	for _, end := range ends {
		if err := windows.SetHandleInformation(windows.Handle(end), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
			return words, os.NewSyscallError("SetHandleInformation", err)
		}
		handles = append(handles, int(end))
		list = append(list, syscall.Handle(end))
	}
	attr.AdditionalInheritedHandles = list
	cmd.SysProcAttr = &attr
	return sentinel.Words(handles...), nil
}
