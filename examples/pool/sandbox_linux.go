//go:build (amd64 || arm64) && !race

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sandbox returns what is to be [procspawn.Options.OnThread], and how to name it. Where the kernel
// has no Landlock or no seccomp it fails, or, if the sandbox is optional, returns nil.
func sandbox(optional bool) (onThread func() error, name string, err error) {
	abi, err := landlockABI()
	if err == nil {
		err = seccomp(nil, 0)
	}
	switch {
	case err == nil:
		return restrict, fmt.Sprintf("sandboxed by Landlock (version %d) and seccomp", abi), nil
	case optional:
		return nil, fmt.Sprintf("not sandboxed: %v", err), nil
	}
	return nil, "", fmt.Errorf("no sandbox (-unsandboxed goes on without): %w", err)
}

// restrict is called on the thread that starts a child. What it forbids is forbidden to this thread
// and the child alone, for good. To start the child has to be left, so seal does the rest.
func restrict() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := landlock(); err != nil {
		return err
	}
	return seccomp(append(toStart(), toRun()...), 0)
}

// seal is the first thing that the child does. It forbids all of its threads, also those of C, what
// was needed to start it: to execute a program, to have a child, and to signal another process.
func seal() error {
	self := uint32(os.Getpid())
	return seccomp(append(toRun(),
		rule{call: unix.SYS_CLONE, mask: unix.CLONE_THREAD, values: []uint32{unix.CLONE_THREAD}},
		rule{call: unix.SYS_KILL, mask: all, values: []uint32{self}},
		rule{call: unix.SYS_TGKILL, mask: all, values: []uint32{self}}, // the runtime preempts goroutines so
	), unix.SECCOMP_FILTER_FLAG_TSYNC)
}

// landlockABI returns the version of Landlock.
func landlockABI() (version int, err error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("this kernel has no Landlock: %w", errno)
	}
	return int(v), nil
}

// landlock forbids all files but those that the child consists of, and /dev/null, which is its
// standard input; TCP; and signals and abstract sockets to processes that are not so restricted.
// It does as much of that as this version knows.
func landlock() error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	rules := unix.LandlockRulesetAttr{Access_fs: 1<<13 - 1} // from EXECUTE to MAKE_SYM
	for _, more := range []struct {
		abi             int
		fs, net, scoped uint64
	}{
		{abi: 2, fs: unix.LANDLOCK_ACCESS_FS_REFER},
		{abi: 3, fs: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		{abi: 4, net: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
		{abi: 5, fs: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
		{abi: 6, scoped: unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET},
	} {
		if abi >= more.abi {
			rules.Access_fs |= more.fs
			rules.Access_net |= more.net
			rules.Scoped |= more.scoped
		}
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return fmt.Errorf("a ruleset of Landlock cannot be made: %w", errno)
	}
	defer unix.Close(int(set))
	files, err := ownFiles()
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := allow(int(set), name, unix.LANDLOCK_ACCESS_FS_EXECUTE|unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
			return err
		}
	}
	if err := allow(int(set), os.DevNull, unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("the ruleset of Landlock cannot be enforced: %w", errno)
	}
	return nil
}

// ownFiles returns the files that this process was made of: its program and, with cgo, the shared
// libraries of that. The child is the same program.
func ownFiles() (files []string, err error) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer maps.Close()
	files = []string{"/proc/self/exe"} // also if it was replaced
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		words := strings.Fields(lines.Text()) // addresses, permissions, offset, device, inode, name
		if len(words) == 6 && strings.Contains(words[1], "x") && strings.HasPrefix(words[5], "/") {
			files = append(files, words[5])
		}
	}
	return files, lines.Err()
}

// allow adds a file to a ruleset.
func allow(set int, name string, access uint64) error {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	beneath := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("a rule of Landlock for %s: %w", name, errno)
	}
	return nil
}

// seccomp has the kernel refuse all system calls but those of the rules. Without any it only
// reports whether it could.
func seccomp(rules []rule, flags uintptr) error {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	operation, argument := uintptr(unix.SECCOMP_GET_ACTION_AVAIL), unsafe.Pointer(&action)
	if rules != nil {
		program := compile(rules)
		operation = unix.SECCOMP_SET_MODE_FILTER
		argument = unsafe.Pointer(&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, operation, flags, uintptr(argument))
	runtime.KeepAlive(argument)
	switch {
	case errors.Is(errno, unix.ENOSYS) || errors.Is(errno, unix.EINVAL):
		return fmt.Errorf("this kernel has no filters of seccomp for %s: %w", runtime.GOARCH, errno)
	case errno != 0:
		return fmt.Errorf("a filter of seccomp: %w", errno)
	case thread != 0:
		return fmt.Errorf("a filter of seccomp: thread %d has others", thread)
	}
	return nil
}
