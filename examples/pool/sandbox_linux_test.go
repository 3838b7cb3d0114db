//go:build (amd64 || arm64) && !race

package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() { intruder = Intruder{} }

// Intruder is what a decoder may become that was taken over.
type Intruder struct{}

// A Target is what it is after.
type Target struct {
	Attempt string
	Pid     int            // of its parent
	Signal  syscall.Signal // what to send there
	File    string         // of the user
}

// Try makes an attempt, and returns the number of the error: 0 if it has succeeded.
func (Intruder) Try(t Target, result *int) error {
	for _, a := range attempts {
		if a.name != t.Attempt {
			continue
		}
		err := a.try(t)
		var errno syscall.Errno
		if err != nil && !errors.As(err, &errno) {
			return err
		}
		*result = int(errno)
		return nil
	}
	return errors.New("no such attempt")
}

// Work does what must go on in a sandbox: goroutines, threads, preemption, the garbage collector,
// timers.
func (Intruder) Work(n int, sum *int) error {
	var running sync.WaitGroup
	sums := make(chan int, n)
	release := make(chan bool)
	for i := range n {
		running.Go(func() {
			runtime.LockOSThread() // each needs a thread of its own
			defer runtime.UnlockOSThread()
			<-release
			kept := make([]byte, 1<<20)
			for j := range kept {
				kept[j] = 1
			}
			runtime.GC()
			sums <- int(kept[i])
		})
	}
	timer := time.After(time.Millisecond)
	var stop bool
	var mu sync.Mutex
	running.Go(func() { // one that has to be preempted on a single processor
		for n := 0; ; n++ {
			if n%1000 == 0 {
				mu.Lock()
				over := stop
				mu.Unlock()
				if over {
					return
				}
			}
		}
	})
	<-timer
	close(release)
	for range n {
		*sum += <-sums
	}
	mu.Lock()
	stop = true
	mu.Unlock()
	running.Wait()
	return nil
}

// Sandbox says what sandbox would find here.
func (Intruder) Sandbox(optional bool, found *string) error {
	onThread, about, err := sandbox(optional)
	*found = fmt.Sprintf("%v, %q, %v", onThread != nil, about, err)
	return nil
}

// An attempt is something that the sandbox forbids.
type attempt struct {
	name  string
	try   func(Target) error
	until int // which children it is possible in
}

const (
	nowhere = iota // not tried but in the sandbox: it would do harm, or the system may forbid it as well
	free           // in those without a sandbox
	started        // and in those that have not called seal
)

var attempts = []attempt{
	{"read /etc/passwd", func(Target) error { return second(os.ReadFile("/etc/passwd")) }, free},
	{"read a file of the user", func(t Target) error { return second(os.ReadFile(t.File)) }, free},
	{"write it", func(t Target) error { return second(os.OpenFile(t.File, os.O_WRONLY, 0)) }, free},
	{"truncate it", func(t Target) error { return os.Truncate(t.File, 4) }, free},
	{"change its mode", func(t Target) error { return os.Chmod(t.File, 0o600) }, free},
	{"make a file", func(t Target) error { return os.WriteFile(t.File+".new", nil, 0o600) }, free},
	{"rename it", func(t Target) error { return os.Rename(t.File+".new", t.File+".old") }, free},
	{"remove it", func(t Target) error { return os.Remove(t.File + ".old") }, free},
	{"list a directory", func(t Target) error { return second(os.ReadDir(filepath.Dir(t.File))) }, free},
	{"its parent's environment", func(t Target) error { return second(os.ReadFile(fmt.Sprintf("/proc/%d/environ", t.Pid))) }, free},

	{"truncate its own program", func(Target) error { return second(os.OpenFile("/proc/self/exe", os.O_RDONLY|os.O_TRUNC, 0)) }, nowhere},

	{"listen on TCP", func(Target) error { return second(net.Listen("tcp", "127.0.0.1:0")) }, free},
	{"UDP", func(Target) error { return second(net.ListenPacket("udp", "127.0.0.1:0")) }, free},
	{"a unix socket", func(Target) error { return second(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) }, free},
	{"a pair of sockets", func(Target) error { return second(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)) }, free},
	{"a netlink socket", func(Target) error { return second(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)) }, free},

	{"start a program", func(Target) error { return exec.Command("/bin/sh", "-c", ":").Run() }, free},
	{"execute a program", func(Target) error { return syscall.Exec("/bin/sh", []string{"sh", "-c", ":"}, nil) }, nowhere},
	{"execute itself", func(Target) error { return syscall.Exec("/proc/self/exe", []string{"pool"}, nil) }, nowhere},
	{"a program in memory", func(Target) error { return second(unix.MemfdCreate("program", 0)) }, free},
	{"fork", fork, started},
	{"clone3", func(Target) error { return call(unix.SYS_CLONE3) }, nowhere},

	{"signal", func(t Target) error { return syscall.Kill(t.Pid, t.Signal) }, free},
	{"signal all", func(t Target) error { return syscall.Kill(-1, t.Signal) }, nowhere},
	{"signal its group", func(t Target) error { return syscall.Kill(0, t.Signal) }, nowhere},
	{"signal a thread", func(t Target) error { return unix.Tgkill(t.Pid, t.Pid, t.Signal) }, free},
	{"signal by tkill", func(t Target) error { return call(unix.SYS_TKILL, uintptr(t.Pid), uintptr(t.Signal)) }, free},
	{"signal by a descriptor", func(t Target) error { return second(unix.PidfdOpen(t.Pid, 0)) }, free},
	{"signal by a queue", func(t Target) error {
		info := unix.Siginfo{Signo: int32(t.Signal), Code: -1} // SI_QUEUE
		return call(unix.SYS_RT_SIGQUEUEINFO, uintptr(t.Pid), uintptr(t.Signal), uintptr(unsafe.Pointer(&info)))
	}, free},
	{"signal by a pipe", func(t Target) error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		defer w.Close()
		return second(unix.FcntlInt(r.Fd(), unix.F_SETOWN, t.Pid))
	}, free},
	{"limit its parent", func(t Target) error { return unix.Prlimit(t.Pid, unix.RLIMIT_CORE, nil, new(unix.Rlimit)) }, started},
	{"ptrace", func(t Target) error { return unix.PtraceAttach(t.Pid) }, nowhere},
	{"have itself traced", func(Target) error { return call(unix.SYS_PTRACE, unix.PTRACE_TRACEME) }, nowhere},
	{"read its parent's memory", func(t Target) error { return call(unix.SYS_PROCESS_VM_READV, uintptr(t.Pid)) }, free},
	{"write its parent's memory", func(t Target) error { return call(unix.SYS_PROCESS_VM_WRITEV, uintptr(t.Pid)) }, free},

	{"io_uring", func(Target) error { return call(unix.SYS_IO_URING_SETUP) }, nowhere},
	{"bpf", func(Target) error { return call(unix.SYS_BPF) }, nowhere},
	{"keyctl", func(Target) error { return call(unix.SYS_KEYCTL) }, nowhere},
	{"perf_event_open", func(Target) error { return call(unix.SYS_PERF_EVENT_OPEN) }, nowhere},
	{"mount", func(Target) error { return call(unix.SYS_MOUNT) }, nowhere},
	{"unshare", func(Target) error { return call(unix.SYS_UNSHARE) }, free},
	{"chroot", func(Target) error { return call(unix.SYS_CHROOT) }, nowhere},
	{"ioctl", func(Target) error { return second(unix.IoctlGetTermios(0, unix.TCGETS)) }, nowhere},
	{"outlive its parent", func(Target) error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) }, started},
}

func second[A any](_ A, err error) error { return err }

func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// fork has a child that exits at once.
func fork(Target) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return second(unix.Wait4(int(pid), nil, 0, nil))
}

// needSandbox returns what confines children, or ends the test where the kernel cannot.
func needSandbox(t *testing.T) func() error {
	onThread, _, err := sandbox(false)
	if err != nil {
		if os.Getenv("VIADUCT_MUST_RUN") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return onThread
}

func startIntruder(t *testing.T, onThread func() error, args ...string) *rpcpipe.Peer {
	peer, err := rpcpipe.Start(t.Context(), procspawn.Self(args...), &rpcpipe.Options{
		OnThread: onThread,
		Limits:   procspawn.Limits{Memory: 256 << 20},
	})
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	return peer
}

// TestSandbox: what the documentation promises of it, tried from inside. The same attempts succeed
// outside, where that does no harm.
func TestSandbox(t *testing.T) {
	onThread := needSandbox(t)
	abi, err := landlockABI()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "secret")
	children := map[int]*rpcpipe.Peer{free: startIntruder(t, nil), started: startIntruder(t, onThread), nowhere: startIntruder(t, onThread, sealed)}
	for _, a := range attempts {
		try := func(child int, signal syscall.Signal) syscall.Errno {
			require.NoError(t, os.WriteFile(file, []byte("user"), 0o600))
			var result int
			require.NoError(t, children[child].Call("Intruder.Try", Target{a.name, os.Getpid(), signal, file}, &result), a.name)
			return syscall.Errno(result)
		}
		refused := []syscall.Errno{unix.EPERM, unix.EACCES}
		if a.name == "clone3" {
			refused[0] = unix.ENOSYS
		}
		if a.until >= free {
			assert.Zero(t, try(free, 0), "%s, without a sandbox", a.name)
		}
		switch {
		case a.until >= started || abi < 6 && strings.HasPrefix(a.name, "signal"):
			assert.Zero(t, try(started, 0), "%s, before it is sealed", a.name)
		case a.until == free:
			assert.Contains(t, refused, try(started, 0), "%s, before it is sealed", a.name)
		}
		assert.Contains(t, refused, try(nowhere, unix.SIGTERM), a.name)
		assert.Contains(t, refused, try(nowhere, unix.SIGKILL), a.name)
	}
}

// TestWorkInSandbox: what a decoder needs goes on there, and its parent can end it.
func TestWorkInSandbox(t *testing.T) {
	peer := startIntruder(t, needSandbox(t), sealed)
	var sum int
	require.NoError(t, peer.Call("Intruder.Work", 20, &sum))
	assert.Equal(t, 20, sum)
	image, err := makeImage(new(png.Encoder), 0)
	require.NoError(t, err)
	var p Picture
	require.NoError(t, peer.Call("Decoder.Decode", image, &p))
	assert.Equal(t, name(0), p.Title)
	require.NoError(t, peer.Shutdown(context.Background()))
	exit := peer.Process().Exit()
	assert.Equal(t, 0, exit.Code)
	assert.LessOrEqual(t, exit.Step, procspawn.StepCloseLink) // it needed no signal
}

// TestParentIsFree: what its children may not is nothing to this process, on all of its threads.
func TestParentIsFree(t *testing.T) {
	onThread := needSandbox(t)
	for range 3 {
		startIntruder(t, onThread, sealed).Close()
	}
	var running sync.WaitGroup
	release := make(chan bool)
	for range 50 {
		running.Go(func() {
			runtime.LockOSThread() // so that this makes 50 threads
			defer runtime.UnlockOSThread()
			<-release
			assert.NoError(t, second(os.ReadFile("/etc/passwd")))
			assert.NoError(t, exec.Command("/bin/sh", "-c", ":").Run())
		})
	}
	close(release)
	running.Wait()
}

// TestKernelWithout: where the kernel lacks something, that is an error that says so, or, if the
// sandbox is optional, said.
func TestKernelWithout(t *testing.T) {
	needSandbox(t) // or seccomp cannot play a kernel that lacks it
	for number, lacks := range map[uint32]string{
		unix.SYS_LANDLOCK_CREATE_RULESET: "this kernel has no Landlock: function not implemented",
		unix.SYS_SECCOMP:                 "this kernel has no filters of seccomp for " + runtime.GOARCH + ": function not implemented",
	} {
		peer := startIntruder(t, func() error {
			program := []unix.SockFilter{
				{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
				{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jf: 1},
				{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
				{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
			}
			if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
				return err
			}
			filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
			return call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter)))
		})
		var found string
		require.NoError(t, peer.Call("Intruder.Sandbox", false, &found))
		assert.Equal(t, `false, "", no sandbox (-unsandboxed goes on without): `+lacks, found)
		require.NoError(t, peer.Call("Intruder.Sandbox", true, &found))
		assert.Equal(t, `false, "not sandboxed: `+lacks+`", <nil>`, found)
	}
}
