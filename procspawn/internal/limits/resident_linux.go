package limits

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// rescan is how often new processes of a group are looked for.
const rescan = 500 * time.Millisecond

// resident reads how much memory a process holds, or all of its process group.
type resident struct {
	pid     int
	group   bool
	files   map[int]*os.File // statm of each process that is known
	scanned time.Time        // when they were looked for
	buf     [512]byte
}

// open is called when the process has been started and may not have been waited for. Its file then
// stays its own, whoever gets the number later.
func (r *resident) open(pid int, group bool) error {
	r.pid, r.group = pid, group
	f, err := os.Open(procFile(pid, "statm"))
	if err == nil {
		r.files = map[int]*os.File{pid: f}
		r.scanned = time.Now()
	}
	return err
}

// read returns how much memory there is now, in bytes, 0 if nobody knows.
func (r *resident) read() (sum int64) {
	if r.group && time.Since(r.scanned) > rescan {
		r.scan()
	}
	for pid, f := range r.files {
		n, err := f.ReadAt(r.buf[:], 0)
		if n == 0 && err != nil { // it has ended
			f.Close()
			delete(r.files, pid)
			continue
		}
		if fields := bytes.Fields(r.buf[:n]); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

// scan looks for processes of the group that are not known.
func (r *resident) scan() {
	r.scanned = time.Now()
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || r.files[pid] != nil || groupOf(pid) != r.pid {
			continue
		}
		if f, err := os.Open(procFile(pid, "statm")); err == nil {
			r.files[pid] = f
		}
	}
}

func (r *resident) close() {
	for _, f := range r.files {
		f.Close()
	}
}

// groupOf returns the process group of a process, 0 if that is not known.
func groupOf(pid int) (group int) {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return 0
	}
	var state string
	var parent int
	fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent, &group) // a name may have anything in it
	return group
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
