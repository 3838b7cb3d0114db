//go:build unix

package sentinel

import (
	"os"
	"syscall"
)

// claim makes files of the descriptors r and w. If either is not an open pipe
// both stay as they are: they belong to somebody else.
func claim(r, w int) (rf, wf *os.File, err error) {
	problem := check(r, "read")
	if p := check(w, "write"); p != "" {
		if problem != "" {
			problem += ", and "
		}
		problem += p
	}
	if problem != "" {
		return nil, nil, sentinelError(problem + ": were this program's inherited descriptors closed or replaced on the way from its parent?")
	}
	rf, err = file(r, "read")
	if err != nil {
		return nil, nil, err
	}
	wf, err = file(w, "write")
	if err != nil {
		rf.Close()
		return nil, nil, err
	}
	return rf, wf, nil
}

// check returns what is wrong with descriptor fd, "" if it is an open pipe.
func check(fd int, name string) string {
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
		return who + "is a socket, not a pipe"
	case syscall.S_IFCHR:
		return who + "is a character device, not a pipe"
	}
	return who + "is not a pipe"
}

// file sets both flags before os.NewFile looks at the descriptor: a blocking
// one would stay off the poller, and then Close wakes no blocked Read and
// every wake-up costs three times as much. Without close-on-exec a grandchild
// that outlives us would keep the parent from seeing the end of the link.
func file(fd int, name string) (*os.File, error) {
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, sentinelError("descriptor " + itoa(fd) + " (the link's " + name + " end) cannot be made non-blocking: " + err.Error())
	}
	return os.NewFile(uintptr(fd), "link "+name+" end"), nil
}
