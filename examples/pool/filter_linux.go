//go:build (amd64 || arm64) && !race

package main

import "golang.org/x/sys/unix"

// A rule permits a system call if one of its arguments has one of the values in the bits of the
// mask; whatever its arguments if there are no values.
type rule struct {
	call     uint32
	argument uint32 // from 0
	mask     uint32
	values   []uint32
}

const all = 1<<32 - 1

func calls(numbers ...uint32) (rules []rule) {
	for _, n := range numbers {
		rules = append(rules, rule{call: n})
	}
	return rules
}

// toRun are the rules for what a Go program needs that computes, has goroutines, and reads and
// writes what is open already. Which files may be opened, to be read, is Landlock's to judge. What is
// not here is refused: sockets, programs, other processes, devices, mode and owner of files, and all
// that is rare.
func toRun() []rule {
	return append(calls(
		// files, pipes, and waiting for them
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_LSEEK,
		unix.SYS_FSTAT, unix.SYS_CLOSE, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_PIPE2, unix.SYS_GETDENTS64,
		unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2, unix.SYS_EVENTFD2, unix.SYS_PPOLL,
		// memory
		unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
		// threads
		unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
		unix.SYS_SET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS, unix.SYS_RSEQ, unix.SYS_RESTART_SYSCALL,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
		// signals that come
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
		// questions
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETPPID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
		unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRUSAGE, unix.SYS_GETRANDOM, unix.SYS_UNAME,
	),
		rule{call: unix.SYS_OPENAT, argument: 2, mask: unix.O_ACCMODE | unix.O_CREAT | unix.O_TRUNC, values: []uint32{unix.O_RDONLY}},
		// A file can have a signal sent to any process of the user: F_SETOWN, F_SETSIG.
		rule{call: unix.SYS_FCNTL, argument: 1, mask: all, values: []uint32{unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL,
			unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETPIPE_SZ, unix.F_SETPIPE_SZ}},
		rule{call: unix.SYS_PRCTL, mask: all, values: []uint32{unix.PR_SET_VMA, unix.PR_SET_NAME, unix.PR_GET_PDEATHSIG}},
	)
}

// toStart are the rules for what starting a child needs besides, here and in the child until it
// calls seal: to fork, without namespaces; to execute, what Landlock lets it; to be stopped until
// its limits are set; and, with cgo, to load libraries.
func toStart() []rule {
	return append(append(calls(loading...), calls(
		unix.SYS_EXECVE, unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_KILL, unix.SYS_TGKILL,
		unix.SYS_SETPGID, unix.SYS_SETSID, unix.SYS_CHDIR, unix.SYS_PRLIMIT64, unix.SYS_GETPRIORITY, unix.SYS_SETPRIORITY,
		unix.SYS_SECCOMP, unix.SYS_NEWFSTATAT, unix.SYS_READLINKAT, unix.SYS_FACCESSAT,
	)...),
		rule{call: unix.SYS_PRCTL, mask: all, values: []uint32{unix.PR_SET_PDEATHSIG}},
		rule{call: unix.SYS_CLONE, mask: unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
			unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET, values: []uint32{0}},
		rule{call: unix.SYS_PTRACE, mask: all, values: []uint32{unix.PTRACE_TRACEME, unix.PTRACE_DETACH, setSigmask}},
	)
}

const setSigmask = 0x420b // PTRACE_SETSIGMASK

// compile returns the program of a filter. The kernel runs it for each system call.
func compile(rules []rule) []unix.SockFilter {
	const number, architecture, arguments = 0, 4, 16 // where they are in what it is given: struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	skipUnless := func(value uint32, n uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: n}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	refuse := func(errno unix.Errno) unix.SockFilter { return end(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

	// The numbers are those of this architecture. Calls of another one (int 0x80) have others, and end
	// the process. Those of x32 are above 2^30, and so not among the rules.
	program := []unix.SockFilter{
		load(architecture), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: auditArch, Jt: 1}, end(unix.SECCOMP_RET_KILL_PROCESS),
		load(number),
		// It has its flags in memory, which is not seen here. Who finds it missing uses clone.
		skipUnless(unix.SYS_CLONE3, 1), refuse(unix.ENOSYS),
	}
	for _, r := range rules {
		if len(r.values) == 0 {
			program = append(program, skipUnless(r.call, 1), end(unix.SECCOMP_RET_ALLOW))
			continue
		}
		program = append(program, skipUnless(r.call, uint8(3+2*len(r.values))), load(arguments+8*r.argument),
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: r.mask})
		for _, v := range r.values {
			program = append(program, skipUnless(v, 1), end(unix.SECCOMP_RET_ALLOW))
		}
		program = append(program, load(number)) // for the next rule
	}
	return append(program, refuse(unix.EPERM))
}
