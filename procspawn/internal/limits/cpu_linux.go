package limits

import (
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

// stacksSize is how much a process shows of what it has computed.
const stacksSize = 256 << 10

// CatchCPU has this process, a child, end by a panic when its CPU time is used up, if its parent
// has set that: then it is one second more that the system gives it. The runtime of Go ignores the
// signal, and the parent could not tell the end from that by another's SIGKILL.
func CatchCPU() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CPU, &limit) != nil || limit.Cur+1 != limit.Max {
		return
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGXCPU)
	go func() {
		<-c
		// What a crash shows of goroutines that run on other threads is nothing.
		stacks := make([]byte, stacksSize)
		stacks = stacks[:runtime.Stack(stacks, true)]
		panic(CPUReached + ", by:\n\n" + string(stacks))
	}()
}
