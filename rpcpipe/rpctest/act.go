package rpctest

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
)

// act does what is not about the link.
func act(m Misdeed) {
	switch m.Do {
	case Exit:
		os.Exit(m.Status)
	case Panic:
		panic("rpctest: a child that was told to panic")
	case Kill:
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			panic(err)
		}
		forever() // it may take a moment
	case Stop:
		if err := stopSelf(); err != nil {
			panic(err)
		}
	case Hang:
		if m.When != OnCall {
			signal.Ignore(syscall.SIGTERM)
		}
		forever()
	case Spin:
		if m.When != OnCall {
			signal.Ignore(syscall.SIGTERM)
		}
		for {
			spun.Add(1)
		}
	case FloodStderr:
		beside(m, func() {
			for i := 0; ; i++ {
				fmt.Fprintln(os.Stderr, "flood", i)
			}
		})
	case FloodMemory:
		beside(m, func() {
			const part = 16 << 20
			for held := [][]byte(nil); ; {
				b := make([]byte, part)
				for i := 0; i < len(b); i += os.Getpagesize() {
					b[i] = 1
				}
				held = append(held, b)
				runtime.KeepAlive(held)
			}
		})
	}
}

// spun is how often Spin has gone round.
var spun atomic.Uint64

// beside does f, which has no end, beside what the process does else, if there is anything.
func beside(m Misdeed, f func()) {
	if m.When == AtEnd {
		f()
	}
	go f()
}

// forever does not return. It is no deadlock in the sense of the runtime, which would end the
// process.
func forever() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	for {
		<-c
	}
}
