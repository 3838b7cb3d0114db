package limits

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// Limit is one of those in Config.
type Limit uint8

const (
	None Limit = iota
	Memory
	CPU
	Wall
	Processes
	Files
	FileSize
	SystemCall
)

// Reached says which limit has ended a process.
type Reached struct {
	Limit    Limit
	Certain  bool
	Evidence string
}

// Outcome is how a process has ended.
type Outcome struct {
	Signal   os.Signal     // nil: it has exited
	Code     int           // -1: a signal has ended it
	Stopped  bool          // somebody here has stopped it
	Time     time.Duration // how long it has computed, with what it has waited for
	Filtered bool          // system calls may have been forbidden to it
	Stderr   []byte        // the end of it
	Crash    []byte        // of a Go program
}

// killed reports whether SIGKILL has ended it, or what stands for that.
func (o *Outcome) killed() bool { return o.Signal == os.Kill }

// CPUReached is what a child says when it ends because of its CPU time: see CatchCPU.
const CPUReached = "procspawn: the CPU time of this process (Limits.CPU of its parent) is used up"

// judge says which limit has ended a process, by what is known of its end alone.
func (c *Config) judge(o *Outcome) Reached {
	if o.Stopped || o.Signal == nil && o.Code == 0 {
		return Reached{}
	}
	if r := judgeSignal(c, o); r.Limit != None {
		return r
	}
	if c.CPU != 0 && bytes.Contains(o.Crash, []byte(CPUReached)) {
		return Reached{CPU, true, "it has said so"}
	}
	for _, h := range hints {
		if !h.concerns(c, o) {
			continue
		}
		for _, from := range []struct {
			name string
			text []byte
		}{{"crash", o.Crash}, {"stderr", o.Stderr}} {
			if bytes.Contains(from.text, []byte(h.text)) {
				return Reached{h.limit, false, fmt.Sprintf("its %s has %q", from.name, h.text)}
			}
		}
	}
	return Reached{}
}

// hint is a text by which programs say that they could not get something.
type hint struct {
	text  string
	limit Limit
}

// hints are looked for in their order: a thread can also be refused for lack of memory.
var hints = []hint{
	{"failed to create new OS thread", Processes},
	{"newosproc", Processes},
	{"pthread_create failed", Processes},
	{"bad system call", SystemCall},
	{"netpollinit failed", Files},
	{"too many open files", Files},
	{"file too large", FileSize},
	{"out of memory", Memory},
	{"cannot allocate memory", Memory},
	{"failed to create new OS thread", Memory},
	{"newosproc", Memory},
	{"pthread_create failed", Memory},
}

// concerns reports whether the process had the limit of the hint.
func (h *hint) concerns(c *Config, o *Outcome) bool {
	switch h.limit {
	case Processes:
		return c.Processes != 0
	case SystemCall:
		return o.Filtered
	case Files:
		return c.Files != 0
	case FileSize:
		return c.FileSize != 0
	}
	return c.Memory != 0
}
