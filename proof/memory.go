package main

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
)

// heapNow is how many bytes of the heap are in use, garbage included.
func heapNow() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// resetRSS has peakRSS begin anew. It returns what this process holds.
func resetRSS() int64 {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return status("VmRSS:")
}

// peakRSS is the most memory that this process has held since resetRSS.
func peakRSS() int64 { return status("VmHWM:") }

// status returns a number of bytes of /proc/self/status, 0 if it is not there.
func status(name string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == name {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return n << 10
		}
	}
	return 0
}
