//go:build unix

package sentinel

import (
	"os"
	"syscall"
)

const (
	inheritedKind = kindFd
	leastNumber   = 3
)

// claim makes files of the descriptors of e. If either end of the link is not an open pipe all stay
// as they are: they belong to somebody else.
func claim(e ends) (r, w, crash *os.File, err error) {
	problem := check(e.r, "read", e.kind)
	if p := check(e.w, "write", e.kind); p != "" {
		if problem != "" {
			problem += ", and "
		}
		problem += p
	}
	if problem != "" {
		return nil, nil, nil, sentinelError(problem + hint(e.kind))
	}
	if e.kind == kindStdio {
		if e.r, e.w, err = moveStdio(); err != nil {
			return nil, nil, nil, err
		}
	}
	// Without close-on-exec a grandchild that outlives us would keep the parent from seeing the end
	// of the link.
	syscall.CloseOnExec(e.r)
	syscall.CloseOnExec(e.w)
	if r, err = file(e.r, "read"); err != nil {
		return nil, nil, nil, err
	}
	if w, err = file(e.w, "write"); err != nil {
		r.Close()
		return nil, nil, nil, err
	}
	if e.crash != 0 && check(e.crash, "crash", e.kind) == "" {
		// It stays blocking: the runtime that prints to it does not try again.
		syscall.CloseOnExec(e.crash)
		crash = os.NewFile(uintptr(e.crash), "crash output")
	}
	return r, w, crash, nil
}

func hint(kind string) string {
	if kind == kindStdio {
		return ": was this program started without a pipe there, or on a terminal (ssh -T, docker exec -i without -t)?"
	}
	return ": were this program's inherited descriptors closed or replaced on the way from its parent?"
}

// check returns what is wrong with descriptor fd, "" if it is an open pipe.
func check(fd int, name, kind string) string {
	var st syscall.Stat_t
	who := "descriptor " + itoa(fd) + " (the link's " + name + " end) "
	err := syscall.Fstat(fd, &st)
	for err == syscall.EINTR {
		err = syscall.Fstat(fd, &st)
	}
	if err == syscall.EBADF {
		return who + "is not open"
	}
	if err != nil {
		return who + "cannot be examined (" + err.Error() + ")"
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFIFO:
		return ""
	case syscall.S_IFREG:
		return who + "is a regular file, not a pipe"
	case syscall.S_IFDIR:
		return who + "is a directory, not a pipe"
	case syscall.S_IFSOCK:
		if kind == kindStdio { // of a remote shell's daemon, or a container's
			return ""
		}
		return who + "is a socket, not a pipe"
	case syscall.S_IFCHR:
		return who + "is a character device, not a pipe"
	}
	return who + "is not a pipe"
}

// file makes the descriptor non-blocking before os.NewFile looks at it: a blocking one would stay
// off the poller, and then Close wakes no blocked Read and every wake-up costs three times as much.
func file(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, sentinelError("descriptor " + itoa(fd) + " (the link's " + name + " end) cannot be made non-blocking: " + err.Error())
	}
	return os.NewFile(uintptr(fd), "link "+name+" end"), nil
}

// moveStdio takes the link from descriptors 0 and 1 and returns where it is now. What the program
// reads from standard input is empty from now on, and what it prints to standard output goes to
// standard error, or nowhere if there is none.
func moveStdio() (r, w int, err error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR, 0)
	if err != nil {
		return 0, 0, sentinelError("cannot open " + os.DevNull + " for standard input: " + err.Error())
	}
	// If there was no standard error, null is it now: the lowest number that is free.
	out := 2
	if same(1, 2) { // somebody has written 2>&1: it is the link
		out = null
	}
	if r, err = syscall.Dup(0); err == nil {
		w, err = syscall.Dup(1)
	}
	if err == nil {
		err = dup2(null, 0)
	}
	if err == nil {
		err = dup2(out, 1)
	}
	if err == nil && out != 2 {
		err = dup2(out, 2)
	}
	if err != nil {
		return 0, 0, moved(err)
	}
	if null > 2 {
		syscall.Close(null)
	}
	return r, w, nil
}

// same reports whether two descriptors are of the same file.
func same(a, b int) bool {
	var sa, sb syscall.Stat_t
	return syscall.Fstat(a, &sa) == nil && syscall.Fstat(b, &sb) == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino
}

func moved(err error) error {
	return sentinelError("the link cannot be taken from standard input and output: " + err.Error())
}
