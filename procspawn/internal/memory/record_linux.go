package memory

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Record follows one child process. Begin comes first, and End, once, last. The others may be
// called at the same time.
type Record struct {
	// Written by Begin.
	pid int
	own int64 // the peak of this process once the child had been started

	mu    sync.Mutex // guards what follows
	group *group     // the child's control group; nil if that is not known
	since int        // how many were killed in group when the child was found there
	peak  int64      // the largest that Sample has seen
}

// Begin is called when the child has been started.
func (r *Record) Begin(pid int) {
	r.pid = pid
	r.own = peakOf("self")
	r.Settle()
}

// Settle is called when the child is at work, if it gets so far. What runs it for us may have moved
// it to another control group meanwhile.
func (r *Record) Settle() {
	r.Sample()
	r.mu.Lock()
	defer r.mu.Unlock()
	group, since := joinGroup(r.pid)
	if group == r.group {
		group.leave(since, false) // it is known already
		return
	}
	r.group.leave(r.since, false)
	r.group, r.since = group, since
}

// Sample takes note of the memory that the child has held so far. It is for while the child lives:
// what has exited holds none, waited for or not.
func (r *Record) Sample() {
	peak := peakOf(strconv.Itoa(r.pid))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peak = max(r.peak, peak)
}

// End is called when the child has been waited for. It returns the most memory that the child is
// known to have held, in bytes, and, of one that somebody else has killed, whether that was the
// system, for lack of memory.
func (r *Record) End(state *os.ProcessState, killed bool) (peak int64, outOfMemory bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	outOfMemory = r.group.leave(r.since, killed)
	peak = r.peak
	// What the system says at the end begins with the peak of the process that has forked, which is
	// this one: it is of use only well above that. The two are counted in different ways.
	if state != nil {
		usage, ok := state.SysUsage().(*syscall.Rusage)
		if ok && int64(usage.Maxrss)<<10 > r.own+r.own/4 {
			peak = max(peak, int64(usage.Maxrss)<<10)
		}
	}
	return peak, outOfMemory
}

// peakOf returns the most memory that a process has held so far, in bytes, 0 if that is not known.
func peakOf(process string) int64 {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "\nVmHWM:")
	var kilobytes int64
	fmt.Sscan(rest, &kilobytes)
	return kilobytes << 10
}
