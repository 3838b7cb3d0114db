package work

import (
	"runtime"
	"time"
)

// Usage is what a process has used.
type Usage struct {
	CPU time.Duration // user and system, since its start

	// Memory, if it was asked for, in bytes. Zero: not known on this system.
	Heap         int64 // heap and stacks in use, behind a garbage collection
	Anonymous    int64 // resident memory that is not of a file
	Proportional int64 // resident memory; of what several processes share each has its part
}

// Used says what this process has used.
func Used(memory bool) (Usage, error) {
	cpu, err := cpuTime()
	u := Usage{CPU: cpu}
	if err == nil && memory {
		u.Anonymous, u.Proportional, err = resident() // first, as it is
		u.Heap = Heap()
	}
	return u, err
}

// Heap returns the bytes of heap and stacks in use, without garbage.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // empties what is pooled
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
