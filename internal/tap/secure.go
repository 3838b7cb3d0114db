package tap

import "os"

// Raised reports whether this process has more rights than whoever has started it, by whom it must not
// be told to write files: its program is setuid, setgid or, on Linux, has capabilities or a label of
// its own.
func Raised() bool {
	return raised(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), isSecure())
}

// raised is Raised, of a process with these ids. secure is what the system says itself.
func raised(uid, euid, gid, egid int, secure bool) bool {
	return secure || uid != euid || gid != egid
}
