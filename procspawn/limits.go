package procspawn

import (
	"fmt"
	"os"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/limits"
)

// Limits bound what a child may take. Zero fields set no limit. They hold from the child's first
// instruction on, and Exit.Limit says which of them has ended it. What the system that this program
// runs on lacks, and what is too little for a Go program to begin with, is an error of Start that
// names the field: nothing is started then.
//
//	            Linux                 Linux with Cgroup  macOS           Windows          other Unix
//	Memory      watched               the tree           watched         the tree         -
//	CPU         each process          each process       -               each process     -
//	Wall        yes                   yes                yes             yes              yes
//	Processes   threads of the user   threads, the tree  -               processes, tree  -
//	Files       each process          each process       -               -                -
//	FileSize    each process          each process       -               -                -
//	Core        each process          each process       -               -                -
//	Nice        yes                   yes                yes             yes              yes
//
// The tree is the child and all that it starts. Each process means that what the child starts has
// the same limit, each for itself: so it bounds no tree. With Options.Group, Memory that is watched
// and Wall are for all of the group. A lower limit that this process has itself, or its control
// group or job, stays as it is. Where the program started here is ssh or docker, that is limited,
// and not what it runs elsewhere.
//
// # On Linux
//
// CPU, Processes, Files, FileSize and Core, Nice, and Memory without Cgroup are set while the new
// process is stopped by ptrace, before its first instruction, which takes some 20 µs. Where that
// is not permitted (kernel.yama.ptrace_scope is 3, a filter of seccomp, a tracer that follows this
// process) Start fails. A program that is setuid, setgid or has capabilities of its own would not
// get them so, and is refused, unless this process is root's. One that the child executes in its
// own place later does get them, and keeps the limits.
//
// Memory without Cgroup is what the process holds (resident, as in /proc/PID/statm), read every 5
// to 100 ms, the more often the nearer it is to the limit: some 2 µs each time. A child that takes
// more is killed. It can have taken some 20 MiB more by then, several times that if it touches new
// memory in many threads, and whatever it likes while this process does not run. Besides the child
// may not map more than four times as much, and at least 1 GiB more, to write to (RLIMIT_DATA):
// what asks for too much of that gets no memory, which ends a Go program. That is too little for
// programs built with the race detector or other sanitizers, which cannot be given Memory without
// Cgroup. With Options.Group the sum of all processes of the group counts, pages that they share
// once for each; those that are new are found every 500 ms, which takes some 10 µs for each process
// of the machine.
//
// # On Windows
//
// A job has the limits. Memory is what is committed: the system refuses more, which ends a Go
// program. CPU is time in user mode. Processes beyond the limit are not started. Nice chooses the
// priority class: 10 and above idle, above 0 below normal, below 0 above normal, -10 and below high.
type Limits struct {
	// Memory is how many bytes the child may hold, from 16 MiB: a child of viaduct holds some 10
	// MiB when it begins. GOMEMLIMIT is set to 80 % of it, if the child's environment has none, so
	// that the garbage collector of a Go program works harder before it comes to that.
	Memory int64

	// CPU is how long the child may compute, all its threads together, from 1 s. On Linux it is
	// rounded up to seconds. The system sends the process SIGXCPU then, and kills it one second of
	// computing later. A Go program ignores that signal. But a child that uses this package ends by
	// a panic then, which says so, with the stacks of what it computed.
	CPU time.Duration

	// Wall is how long the child may live. Then it is killed: what is to end in order is for Stop,
	// or Shutdown of rpcpipe.
	Wall time.Duration

	// Processes is how many processes there may be. Linux counts each of their threads: at least 16
	// is expected there, and a Go program takes some ten more than it has processors.
	//
	// On Linux without Cgroup all that the child's user runs, anywhere on the machine, counts
	// (RLIMIT_NPROC). That makes sense where the child has a user of its own, by
	// SysProcAttr.Credential. Root has no such limit, so a child of root's is refused.
	Processes int

	// Files is how many descriptors the child may have open, from 10, the link and those that the
	// runtime needs among them. It cannot raise that itself, unless it is root's.
	Files int

	// FileSize is how many bytes a file may have when the child has written to it. A Go program
	// that would write more gets the error EFBIG, others die of SIGXFSZ.
	FileSize int64

	// Core is how many bytes a core dump of the child may have. Negative: it leaves none, and none
	// is given to the program that collects them, which gets the others whatever their size.
	Core int64

	// Nice is the child's niceness, from -20 to 19: the higher, the more it lets others compute
	// first. Less than this process has is a privilege. 0: that of this process.
	Nice int

	// Cgroup is the directory of a control group of version 2 (Linux), in which the child is
	// started: one of this program's own, for this child alone, with no groups below it. Its
	// memory.max and pids.max are set to Memory and Processes where these are given, and stay so:
	// the system keeps the limits of all that is in the group, exactly and at once. Its parent's
	// cgroup.subtree_control must have those controllers. With Options.Group all that is in the
	// group is killed with the child (cgroup.kill, from Linux 5.14 on).
	//
	// It may be closed when Start has returned. The directory is yours to remove after the child's
	// end. What the child starts dies of Memory as well as itself: write 1 to memory.oom.group to
	// have all of them die together.
	Cgroup *os.File
}

// Limit is one of Limits.
type Limit uint8

const (
	NoLimit         Limit = Limit(limits.None)
	LimitMemory     Limit = Limit(limits.Memory)
	LimitCPU        Limit = Limit(limits.CPU)
	LimitWall       Limit = Limit(limits.Wall)
	LimitProcesses  Limit = Limit(limits.Processes)
	LimitFiles      Limit = Limit(limits.Files)
	LimitFileSize   Limit = Limit(limits.FileSize)
	LimitSystemCall Limit = Limit(limits.SystemCall) // a filter of system calls, which OnThread has set
)

var limitNames = [...]string{"none", "memory", "CPU time", "wall clock time", "processes", "files", "file size", "system calls"}

func (l Limit) String() string {
	if int(l) < len(limitNames) {
		return limitNames[l]
	}
	return fmt.Sprintf("Limit(%d)", uint8(l))
}

// Reached says which limit has ended a child.
type Reached struct {
	Limit Limit // NoLimit: none has, as far as is known

	// Certain is true where the child was killed for this limit, or has said so itself. Else it is
	// what the way it ended, or what it printed last, points to: it may have had other reasons.
	Certain bool

	// Evidence is how that is known, such as "it held 72 MiB".
	Evidence string
}

// String returns, of a limit that was reached, text such as
//
//	limit of memory: it held 72 MiB
//
// and "no limit" of none.
func (r Reached) String() string {
	if r.Limit == NoLimit {
		return "no limit"
	}
	text := fmt.Sprintf("limit of %v: %s", r.Limit, r.Evidence)
	if !r.Certain {
		return "perhaps the " + text
	}
	return text
}
