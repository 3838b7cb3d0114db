package sentinel

import "syscall"

// executed reports whether the child that a viaduct parent has started has executed this program in
// its own place. The signal that it is to get when its parent dies survives exec, and not fork, and
// nobody else asks for SIGCONT. It belongs to a thread: to the first one of the process, which is
// that of init, if exec was called there.
func executed() bool {
	sig, err := deathSignal()
	return err == 0 && syscall.Signal(sig) == syscall.SIGCONT
}
