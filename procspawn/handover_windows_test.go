package procspawn

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// inheritable returns an inheritable handle of f, which the test closes.
func inheritable(t *testing.T, f *os.File) syscall.Handle {
	t.Helper()
	self := windows.CurrentProcess()
	var h windows.Handle
	require.NoError(t, windows.DuplicateHandle(self, windows.Handle(f.Fd()), self, &h, 0, true, windows.DUPLICATE_SAME_ACCESS))
	t.Cleanup(func() { windows.CloseHandle(h) })
	return syscall.Handle(h)
}

// A sentinel whose handles are not what it says.
func TestBadHandles(t *testing.T) {
	noLeaks(t)
	file, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer file.Close()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer closeAll(r, w)
	event, err := windows.CreateEvent(&windows.SecurityAttributes{InheritHandle: 1}, 1, 0, nil)
	require.NoError(t, err)
	defer windows.CloseHandle(event)
	in, out, disk, device := inheritable(t, r), inheritable(t, w), inheritable(t, file), inheritable(t, null)
	for _, tt := range []struct {
		read, write syscall.Handle
		want        []string
	}{
		{98764, 98768, []string{"handle 98764 (the link's read end) is not an open file", "and handle 98768 (the link's write end) is not an open file"}},
		{in, 98768, []string{": handle 98768 (the link's write end) is not an open file"}},
		{disk, out, []string{"(the link's read end) is a file on a disk, not a pipe"}},
		{in, device, []string{"(the link's write end) is a console or another device, not a pipe"}},
		{in, syscall.Handle(event), []string{"(the link's write end) is not"}},
		{out, in, []string{"(the link's read end) is a pipe that is not open to read", "swapped"}},
		{in, out, []string{"handshake with the parent: our own hello came back"}},
	} {
		words := []string{"viaduct.1", fmt.Sprintf("handle:%d,%d", tt.read, tt.write)}
		cmd := exec.Command(os.Args[0], append(append([]string{"helper:claim"}, words...), "x", "")...)
		cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{in, out, disk, device, syscall.Handle(event)}}
		printed, err := cmd.Output()
		require.NoError(t, err, words)
		assert.Contains(t, string(printed), `true ["x" ""] true procspawn: `, words)
		for _, want := range tt.want {
			assert.Contains(t, string(printed), want, words)
		}
	}
	for words, want := range map[string]string{
		"viaduct.1 handle:4":                "handle:4 was found, handle:R,W",
		"viaduct.1 handle:4,4":              "handle:4,4 was found",
		"viaduct.1 handle:0,4":              "handle:0,4 was found",
		"viaduct.1 handle:0x10,4":           "handle:0x10,4 was found",
		"viaduct.1 handle:4294967296000,40": "was found",
		"viaduct.1 fd:3,4":                  "descriptors belong to Unix",
		"viaduct.2 handle:4,8":              "version 2 of the sentinel",
	} {
		printed, err := exec.Command(os.Args[0], append([]string{"helper:claim"}, strings.Fields(words)...)...).Output()
		require.NoError(t, err, words)
		assert.Contains(t, string(printed), want, words)
	}
}

// What Start cannot do with a Cmd's attributes it says.
func TestAttributesRefused(t *testing.T) {
	noLeaks(t)
	for _, tt := range []struct {
		attr syscall.SysProcAttr
		want string
	}{
		{syscall.SysProcAttr{NoInheritHandles: true}, "NoInheritHandles"},
		{syscall.SysProcAttr{CmdLine: "x"}, "CmdLine"},
	} {
		cmd := selfCmd("echo")
		cmd.SysProcAttr = &tt.attr
		_, err := Start(t.Context(), cmd, nil)
		assert.ErrorContains(t, err, tt.want)
		assert.Same(t, &tt.attr, cmd.SysProcAttr)
	}
}

// The caller's own handles and attributes reach the child beside ours.
var _ = helper("passed", func([]string) {
	l := connect(nil)
	b, err := io.ReadAll(passedFile())
	fmt.Fprintln(l, string(b), err)
	l.Close()
})

func TestCallersHandles(t *testing.T) {
	noLeaks(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	io.WriteString(w, "moo")
	w.Close()
	cmd := selfCmd("passed")
	passFile(t, cmd, r)
	attr := cmd.SysProcAttr
	p := startChild(t, cmd, nil)
	r.Close()
	b, err := readLink(p.Link())
	require.Error(t, err)
	assert.Equal(t, "moo <nil>\n", string(b))
	assert.Same(t, attr, cmd.SysProcAttr)
	assert.Len(t, attr.AdditionalInheritedHandles, 1)
	p.Stop()
}

var procHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

// The flags helper sends the flags of the link's handles.
var _ = helper("flags", func([]string) {
	l := connect(nil)
	for _, f := range []*os.File{sentinel.Read, sentinel.Write} {
		rc, err := f.SyscallConn()
		must(err)
		flags := ^uint32(0)
		must(rc.Control(func(fd uintptr) { procHandleInformation.Call(fd, uintptr(unsafe.Pointer(&flags))) }))
		fmt.Fprintln(l, flags)
	}
	l.Close()
})

// Programs that the child starts would get its handles only by another way than os/exec, which
// names what it passes on.
func TestLinkIsNotInheritable(t *testing.T) {
	noLeaks(t)
	for _, opts := range []*Options{nil, stdio1} {
		p := startChild(t, selfCmd("flags"), opts)
		b, _ := readLink(p.Link())
		assert.Equal(t, "0\n0\n", string(b))
		p.Stop()
	}
}

// Programs started at the same time by the caller, with handles of his own, do not get those of a
// link.
func TestSiblingsGetNothing(t *testing.T) {
	noLeaks(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer closeAll(r, w)
	handle := inheritable(t, r)
	pipes := func() int {
		cmd := exec.Command(os.Args[0], "helper:files")
		cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{handle}}
		out, err := cmd.Output()
		assert.NoError(t, err)
		return pipesIn(out)
	}
	alone := pipes()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { startChild(t, selfCmd("echo"), nil).Stop() })
		wg.Go(func() { assert.Equal(t, alone, pipes()) })
	}
	wg.Wait()
}

// A shell in between hands on arguments and handles.
func TestBehindCmd(t *testing.T) {
	noLeaks(t)
	p := startChild(t, exec.Command("cmd", "/c", os.Args[0], Here, "helper:echo"), nil)
	assert.NotEqual(t, p.Pid(), p.Link().Remote().Pid)
	echo(t, p, "moo")
	exit := p.Stop()
	assert.Equal(t, StepCloseLink, exit.Step)
	assert.Equal(t, 0, exit.Code)
}
