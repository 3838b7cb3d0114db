package procspawn

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/windows"
)

var procNtQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

// openFiles lists this process's pipes. (The Go runtime has other handles that come and go.)
func openFiles() []string {
	list := []string{}
	const nameInformation, last = 1, 4 * 1024 // far more than there are
	for h := uintptr(4); h < last; h += 4 {
		var buf [1024]byte
		status, _, _ := procNtQueryObject.Call(h, nameInformation, uintptr(unsafe.Pointer(&buf)), unsafe.Sizeof(buf), 0)
		name := (*windows.NTUnicodeString)(unsafe.Pointer(&buf))
		if status == 0 && strings.HasPrefix(name.String(), `\Device\NamedPipe\`) {
			list = append(list, fmt.Sprintf("pipe:%d", h))
		}
	}
	return list
}

// haveChildren reports whether this process has a child that runs.
func haveChildren() bool { return len(childrenOf(os.Getpid())) > 0 }

func childrenOf(pid int) (children []string) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	must(err)
	defer windows.CloseHandle(snapshot)
	entry := windows.ProcessEntry32{}
	entry.Size = uint32(unsafe.Sizeof(entry))
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if int(entry.ParentProcessID) == pid {
			children = append(children, windows.UTF16ToString(entry.ExeFile[:]))
		}
	}
	return children
}

func isRunning(pid int) bool {
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(process)
	state, err := windows.WaitForSingleObject(process, 0)
	return err == nil && state == uint32(windows.WAIT_TIMEOUT)
}

const passedVariable = "VIADUCT_TEST_FILE"

// passFile has the child of cmd inherit f, which it gets from passedFile.
func passFile(_ testing.TB, cmd *exec.Cmd, f *os.File) {
	must(windows.SetHandleInformation(windows.Handle(f.Fd()), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT))
	cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(f.Fd())}}
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d", passedVariable, f.Fd()))
}

func passedFile() *os.File {
	h, err := strconv.Atoi(os.Getenv(passedVariable))
	must(err)
	return os.NewFile(uintptr(h), "test")
}

func onlyUnix(t testing.TB, why string) {
	t.Helper()
	t.Skip("not on Windows: " + why)
}

const terminates = false // there is no SIGTERM

// abort is what a process does to itself on Unix.
func abort() { os.Exit(2) }

// assertKilled verifies that the process was killed by somebody else than Stop, which shows as a
// code alone.
func assertKilled(t *testing.T, exit *Exit) {
	t.Helper()
	assert.Equal(t, 1, exit.Code) // as os.Process.Kill has it
	assert.Nil(t, exit.Signal)
	assert.Equal(t, StepNone, exit.Step)
}
