package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// group is a control group with children of this process in it. The system counts how many
// processes of it were killed for lack of memory, and does not say which.
type group struct {
	counter string // the file that has the number

	// Guarded by groups.mu.
	users   int          // children in it
	last    int          // the number of kills when a child joined that lived
	claimed map[int]bool // the kills, by their numbers, that children have accounted for
}

var groups struct {
	mu        sync.Mutex
	byCounter map[string]*group
}

// joinGroup returns the control group of a process, and how many were killed in it before that. It is
// nil if nothing counts there.
func joinGroup(pid int) (g *group, kills int) {
	list, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, 0
	}
	for _, file := range counters(string(list)) {
		kills, ok := readKills(file)
		if !ok {
			continue
		}
		lives := isAlive(pid) // now: or it may be one of those that were killed
		groups.mu.Lock()
		defer groups.mu.Unlock()
		g := groups.byCounter[file]
		if g == nil {
			g = newGroup(file)
			g.last = kills
			if groups.byCounter == nil {
				groups.byCounter = make(map[string]*group)
			}
			groups.byCounter[file] = g
		}
		g.users++
		if lives {
			g.last = max(g.last, kills)
		}
		return g, min(kills, g.last)
	}
	return nil, 0
}

func newGroup(counter string) *group { return &group{counter: counter, claimed: make(map[int]bool)} }

// leave is for when a child has ended that was in the group since there were so many kills. If it
// was killed it accounts for the latest kill, should there be one that no other child has accounted
// for.
func (g *group) leave(since int, killed bool) (outOfMemory bool) {
	if g == nil {
		return false
	}
	kills := 0
	if killed {
		kills, _ = readKills(g.counter)
	}
	groups.mu.Lock()
	defer groups.mu.Unlock()
	for n := kills; n > since && !outOfMemory; n-- {
		outOfMemory = !g.claimed[n]
		g.claimed[n] = true
	}
	if g.users--; g.users == 0 {
		delete(groups.byCounter, g.counter)
	}
	return outOfMemory
}

// isAlive reports whether a process has neither ended nor been killed. The fields of its stat behind
// its name are the state, five numbers and its flags.
func isAlive(pid int) bool {
	const exiting, ofName = 0x4, ") " // PF_EXITING of the kernel
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ofName)+1:]))
	if err != nil || len(fields) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil || flags&exiting != 0 || strings.Contains("ZX", fields[0]) {
		return false
	}
	return !isKilled(pid)
}

// isKilled reports whether SIGKILL waits for a process.
func isKilled(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return true
	}
	for _, name := range []string{"SigPnd:", "ShdPnd:"} {
		_, rest, _ := strings.Cut(string(status), "\n"+name+"\t")
		digits, _, _ := strings.Cut(rest, "\n")
		if signals, err := strconv.ParseUint(digits, 16, 64); err != nil || signals>>(syscall.SIGKILL-1)&1 == 1 {
			return true
		}
	}
	return false
}

const controlGroups = "/sys/fs/cgroup"

// counters returns the files that may have the number of kills in the control groups of a process,
// given its /proc/PID/cgroup. The path there is none of ours where a container has its own group
// for the root.
func counters(list string) (files []string) {
	for line := range strings.Lines(list) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for _, path := range []string{fields[2], "/"} {
			switch {
			case fields[0] == "0" && fields[1] == "": // version 2
				dir := filepath.Join(controlGroups, path)
				files = append(files, filepath.Join(dir, "memory.events.local"), filepath.Join(dir, "memory.events"))
			case fields[1] == "memory": // version 1
				files = append(files, filepath.Join(controlGroups, "memory", path, "memory.oom_control"))
			}
		}
	}
	return files
}

// readKills returns the number of kills that a file has.
func readKills(file string) (n int, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	_, rest, ok := strings.Cut("\n"+string(text), "\noom_kill ")
	if ok {
		_, err = fmt.Sscan(rest, &n)
	}
	return n, ok && err == nil
}
