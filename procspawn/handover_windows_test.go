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
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
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
	for _, f := range []*os.File{child.pipe.r, child.pipe.w} {
		rc, err := f.SyscallConn()
		must(err)
		flags := ^uint32(0)
		must(rc.Control(func(fd uintptr) { procHandleInformation.Call(fd, uintptr(unsafe.Pointer(&flags))) }))
		fmt.Fprintln(l, flags)
	}
	l.Close()
})

// Programs that the child starts would get its handles only by another way than os/exec, which names what it passes on.
func TestLinkIsNotInheritable(t *testing.T) {
	noLeaks(t)
	for _, opts := range []*Options{nil, stdio1} {
		p := startChild(t, selfCmd("flags"), opts)
		b, _ := readLink(p.Link())
		assert.Equal(t, "0\n0\n", string(b))
		p.Stop()
	}
}

// Programs started at the same time by the caller, with handles of his own, do not get those of a link.
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

// What has come before Inherited is read by who comes then.
func TestHelloIsKept(t *testing.T) {
	noLeaks(t)
	end, c := linked(t)
	_, err := c.w.Write([]byte("early"))
	require.NoError(t, err)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		assert.False(t, waitHangup(end))
	}()
	stopWaiting(end, watched)
	_, err = c.w.Write([]byte(" and late"))
	require.NoError(t, err)
	c.Close()
	all, err := io.ReadAll(end)
	require.NoError(t, err)
	assert.Equal(t, "early and late", string(all))
	end.Close()
}

// linked returns the two sides of a link in one process.
func linked(t *testing.T) (child, parent *pipeConn) {
	t.Helper()
	parent, r, w, err := newPipes()
	require.NoError(t, err)
	return &pipeConn{r: os.NewFile(uintptr(r), "read"), w: os.NewFile(uintptr(w), "write")}, parent
}

func TestHangup(t *testing.T) {
	noLeaks(t)
	end, c := linked(t)
	hung := make(chan bool)
	go func() { hung <- waitHangup(end) }()
	c.w.Write([]byte("hello"))
	select {
	case <-hung:
		t.Error("before the end")
	default:
	}
	c.Close()
	assert.True(t, <-hung)
	end.Close()
}

// TestReadNow: past the deadline what lies in the pipe is read, and nothing waited for.
func TestReadNow(t *testing.T) {
	noLeaks(t)
	end, c := linked(t)
	end.w.Write([]byte("left behind"))
	c.expire(time.Now().Add(-time.Second))
	buf := make([]byte, 4)
	n, err := c.Read(buf)
	assert.NoError(t, err)
	assert.Equal(t, "left", string(buf[:n]))
	rest := make([]byte, 100)
	n, err = c.Read(rest)
	assert.NoError(t, err)
	assert.Equal(t, " behind", string(rest[:n]))
	_, err = c.Read(rest)
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = c.Write(make([]byte, 1<<20))
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	end.Close()
	_, err = c.Read(rest)
	assert.Equal(t, io.EOF, err)
	c.Close()
}

// TestCloseSynchronous: Close releases who reads a synchronous pipe, whenever that began.
func TestCloseSynchronous(t *testing.T) {
	noLeaks(t)
	for range 50 {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		read := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			read <- err
		}()
		within(t, time.Second, "Close", func() {
			assert.NoError(t, closePipe(r))
			assert.Error(t, <-read)
		})
		w.Close()
	}
}

// TestEmptyWrite: it is not the end.
func TestEmptyWrite(t *testing.T) {
	noLeaks(t)
	end, c := linked(t)
	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(c)
		read <- string(all)
	}()
	for _, text := range []string{"", "one", "", "", "two", ""} {
		_, err := end.w.Write([]byte(text))
		require.NoError(t, err)
	}
	end.Close()
	assert.Equal(t, "onetwo", <-read)
	c.Close()
}
