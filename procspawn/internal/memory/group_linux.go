package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// group is a control group with children of this process in it. The system counts how many
// processes of it were killed for lack of memory, and does not say which.
type group struct {
	counter string // the file that has the number

	// Guarded by groups.mu.
	users   int          // children in it
	claimed map[int]bool // the kills, by their numbers, that children have accounted for
}

var groups struct {
	mu        sync.Mutex
	byCounter map[string]*group
}

// joinGroup returns the control group of a process, and how many were killed in it so far. It is nil
// if nothing counts there.
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
		groups.mu.Lock()
		defer groups.mu.Unlock()
		g := groups.byCounter[file]
		if g == nil {
			g = newGroup(file)
			if groups.byCounter == nil {
				groups.byCounter = make(map[string]*group)
			}
			groups.byCounter[file] = g
		}
		g.users++
		return g, kills
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
