package procspawn

import (
	"os"
	"strings"
	"syscall"
)

// runningFile is where the system has the file that this process runs, be it removed or not.
const runningFile = "/proc/self/exe"

// running is the file of this program, as it was when the process began, and its path then: the
// system changes that when the file is moved.
var (
	running                    = findImage()
	runningPath, errExecutable = os.Executable()
)

// image identifies a file, and its content as far as one can tell without reading it: whatever
// changes a file changes its ctime.
type image struct {
	dev, ino uint64
	ctime    syscall.Timespec
}

// findImage returns the zero image, which no file has, if the file has been replaced already. A
// process that was started by way of runningFile finds it so.
func findImage() image {
	if link, err := os.Readlink(runningFile); err == nil && strings.HasSuffix(link, " (deleted)") {
		return image{}
	}
	return imageOf(runningPath)
}

func imageOf(path string) image {
	info, err := os.Stat(path)
	if err != nil {
		return image{}
	}
	st := info.Sys().(*syscall.Stat_t)
	return image{uint64(st.Dev), st.Ino, st.Ctim}
}

// executable returns the path of this program, and where to find the file that runs: there, unless
// what is there now is another one.
func executable() (path, file string, err error) {
	if errExecutable != nil || running != (image{}) && imageOf(runningPath) == running {
		return runningPath, runningPath, errExecutable
	}
	if _, err := os.Stat(runningFile); err != nil {
		return runningPath, runningPath, nil // there is no better one
	}
	return runningPath, runningFile, nil
}
