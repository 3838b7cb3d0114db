package procspawn

import (
	"fmt"
	"os"
	"os/exec"
)

// Self returns a Cmd for this very program, to be started as its own child. Its main, or TestMain
// in a test binary, needs a branch for the child:
//
//	if procspawn.IsChild() { ... }
//
// It is the program as it runs: on Linux also if its file has been replaced or removed since, by an
// upgrade for instance. Then Cmd.Path is /proc/self/exe, and ps and /proc/PID/comm show the child
// as "exe", while Args[0] has the path as ever. That file is missing where there is no /proc, as in
// a chroot, and it is the emulator under qemu-user. There, and on other systems, Self starts what
// stands at the path now, which fails if nothing does.
func Self(args ...string) *exec.Cmd {
	path, file, err := executable()
	cmd := exec.Command(path, args...)
	if err != nil {
		cmd.Err = fmt.Errorf("procspawn: the path of this program is not known: %w", err)
		return cmd
	}
	cmd.Path = file
	return cmd
}

// isSelf reports whether path is this very program, as it runs.
func isSelf(path string) bool {
	_, self, err := executable()
	if err != nil {
		return false
	}
	a, err := os.Stat(self)
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
