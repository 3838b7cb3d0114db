package rpctest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// descriptors returns what the descriptors of this process are open for, but for those of the
// runtime, which come with the first use and stay.
func descriptors() map[string]string {
	const dir = "/proc/self/fd"
	list := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		// That of the directory itself is gone by now.
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && !strings.HasPrefix(target, "anon_inode:[event") {
			list[e.Name()] = target
		}
	}
	return list
}

// processes returns the states and names of the children of this process.
func processes() map[string]string {
	list := make(map[string]string)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	self := strconv.Itoa(os.Getpid())
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has gone
		}
		// 12 (name) S 1 ...: the name may have anything in it.
		open, end := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
		if open < 0 || end < open {
			continue
		}
		fields := strings.Fields(string(b[end+1:]))
		if len(fields) > 1 && fields[1] == self {
			list[strings.TrimSpace(string(b[:open]))] = string(b[open+1:end]) + ", state " + fields[0]
		}
	}
	return list
}
