package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// forbid has a system call fail with EPERM on this thread and in what it starts.
func forbid(call uint32) error {
	return filter(call, unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
}

// filter has seccomp do what it is told about a system call.
func filter(call, action uint32) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	all := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&all)))
	if errno != 0 {
		return errno
	}
	return nil
}

// The thread helper says what threads do not share: niceness, host name, whether mkdir is forbidden
// by seccomp and listing directories by Landlock.
var _ = helper("thread", func([]string) {
	l := connect(nil)
	io.WriteString(l, threadSeen())
	io.Copy(l, l)
})

func threadSeen() string {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	must(err)
	host, err := os.Hostname()
	must(err)
	_, err = os.ReadDir("/")
	return fmt.Sprintf("%d %s %v %v.", 20-raw, host, errors.Is(os.Mkdir("/no/such/dir", 0o700), os.ErrPermission), err != nil)
}

// TestOnThread: what is done there reaches the child, and nothing else in this process.
func TestOnThread(t *testing.T) {
	noLeaks(t)
	before := threadSeen()
	host, err := os.Hostname()
	require.NoError(t, err)
	mkdir := uint32(unix.SYS_MKDIRAT)
	for _, death := range []ParentDeath{EndWithParent, KillWithParent, Detach} {
		for _, limits := range []Limits{{}, {Files: 100}} {
			host, locked := host, hasLandlock()
			p := startChild(t, selfCmd("thread"), &Options{ParentDeath: death, Limits: limits, OnThread: func() error {
				assert.NotEqual(t, os.Getpid(), unix.Gettid(), "the first thread is that of the process")
				if unix.Unshare(unix.CLONE_NEWUTS) == nil {
					host = "ours"
					must(unix.Sethostname([]byte(host)))
				}
				if locked {
					must(landlock(unix.LANDLOCK_ACCESS_FS_READ_DIR))
				}
				return errors.Join(unix.Setpriority(unix.PRIO_PROCESS, 0, 7), forbid(mkdir))
			}})
			expect(t, p, fmt.Sprintf("7 %s true %v.", host, locked))
			assert.Equal(t, before, threadSeen())
			assert.Equal(t, 0, p.Stop().Code)
		}
	}
}

// TestOnThreadFails: nothing is started then.
func TestOnThreadFails(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	_, err := Start(t.Context(), cmd, &Options{OnThread: func() error { return unix.ENOTTY }})
	require.ErrorIs(t, err, unix.ENOTTY)
	assert.ErrorContains(t, err, "Options.OnThread")
	assert.Nil(t, cmd.Process)
}

// TestSystemCallLimit: a child that is killed for a system call is one that has reached a limit.
func TestSystemCallLimit(t *testing.T) {
	noLeaks(t)
	opts := &Options{OnThread: func() error { return filter(unix.SYS_SYNC, unix.SECCOMP_RET_KILL_PROCESS) }}
	p := startChild(t, selfCmd("syncs"), opts)
	<-p.Done()
	assertReached(t, p.Exit(), LimitSystemCall, true)

	opts.OnThread = func() error { return filter(unix.SYS_SYNC, unix.SECCOMP_RET_TRAP) }
	p = startChild(t, selfCmd("syncs"), opts)
	<-p.Done()
	assertReached(t, p.Exit(), LimitSystemCall, false)
}

var _ = helper("syncs", func([]string) {
	l := connect(nil)
	unix.Sync()
	l.Close()
})

// TestOnThreadEnds: the thread lives as long as the child, whose death signal comes when it ends.
func TestOnThreadEnds(t *testing.T) {
	noLeaks(t)
	var id int
	p := startChild(t, selfCmd("echo"), &Options{ParentDeath: KillWithParent, OnThread: func() error { id = unix.Gettid(); return nil }})
	other := startChild(t, selfCmd("echo"), &Options{OnThread: func() error { assert.NotEqual(t, id, unix.Gettid()); return nil }})
	for range 20 {
		echo(t, p, "alive")
		require.DirExists(t, fmt.Sprint("/proc/self/task/", id))
	}
	p.Stop()
	echo(t, other, "there")
}

// TestOnThreadWithoutProc: the memory of a child is watched whose thread may not read /proc.
func TestOnThreadWithoutProc(t *testing.T) {
	if !hasLandlock() {
		t.Skip("this kernel has no Landlock")
	}
	noLeaks(t)
	entries, err := os.ReadDir("/")
	require.NoError(t, err)
	var below []string
	for _, e := range entries {
		if info, err := os.Stat("/" + e.Name()); err == nil && info.IsDir() && e.Name() != "proc" {
			below = append(below, "/"+e.Name())
		}
	}
	var seen error
	p := startChild(t, selfCmd("hoards", "100", "waits"), &Options{Limits: Limits{Memory: 64 * mebibyte}, OnThread: func() error {
		err := landlock(unix.LANDLOCK_ACCESS_FS_READ_FILE, below...)
		_, seen = os.ReadFile("/proc/self/statm")
		return err
	}})
	<-p.Done()
	assert.ErrorIs(t, seen, os.ErrPermission)
	assertReached(t, p.Exit(), LimitMemory, true)
}

// TestOnThreadFirst: what the first thread of a process forbids to itself does not decide for good
// how this process waits for others. Package os finds out once what the kernel can do.
func TestOnThreadFirst(t *testing.T) {
	noLeaks(t)
	p := startChild(t, selfCmd("forbids first"), nil)
	expect(t, p, fmt.Sprintf("%v.", hasPidfd())) // p is one, if the kernel has them
	assert.Equal(t, 0, p.Stop().Code)
}

var _ = helper("forbids first", func([]string) {
	l := connect(nil)
	for _, onThread := range []func() error{func() error { return forbid(unix.SYS_PIDFD_OPEN) }, nil} {
		p, err := Start(context.Background(), selfCmd("echo"), &Options{OnThread: onThread})
		must(err)
		defer p.Stop()
	}
	fmt.Fprintf(l, "%v.", hasPidfd())
	io.Copy(l, l)
})

// hasPidfd reports whether package os has processes by descriptors.
func hasPidfd() bool {
	names, err := os.ReadDir("/proc/self/fd")
	must(err)
	for _, name := range names {
		if to, err := os.Readlink("/proc/self/fd/" + name.Name()); err == nil && strings.Contains(to, "pidfd") {
			return true
		}
	}
	return false
}
