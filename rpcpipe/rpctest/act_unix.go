//go:build unix

package rpctest

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSelf returns when somebody has the process go on. The signal stops this thread a moment after
// it was sent, if another one takes it.
func stopSelf() error {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-goesOn
	return nil
}
