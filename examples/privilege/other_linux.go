package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is a user that owns nothing. A service has one of its own: what runs as nobody already
// could get at the child.
const nobody = 65534

// asOther has cmd run as another user, in no group besides, and says so. Only root can do that.
func asOther(cmd *exec.Cmd) (about string, err error) {
	if os.Geteuid() != 0 {
		return "keeps this user, as only root can give it another: it is not confined", nil
	}
	cmd.Path = "/proc/self/exe" // that user may not get at the file by its name
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, // Groups is empty: it is in none of root's
	}
	return "runs as another user", nil
}

// forGood has the child, and what it starts, gain nothing by programs that are setuid.
func forGood() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

type attempt struct {
	what string
	do   func() error
}

// attempts are what another user keeps the child from.
func attempts(key string) []attempt {
	return []attempt{
		{"reads the key", func() error {
			_, err := os.ReadFile(key)
			if err != nil {
				err = err.(*os.PathError).Err // without the path, which differs
			}
			return err
		}},
		{"signals its parent", func() error { return syscall.Kill(os.Getppid(), 0) }},
		{"becomes root", func() error { return syscall.Setuid(0) }},
	}
}
