package rpcpipe_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/viaduct-go/viaduct/procspawn"
)

// requireNoZombies has nothing to find: there are none here.
func requireNoZombies(*testing.T) {}

var procQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

// openFiles counts this process's pipes. (The Go runtime has other handles that come and go.)
func openFiles() (n int) {
	const nameInformation, last = 1, 4 * 1024 // far more than there are
	for h := uintptr(4); h < last; h += 4 {
		var buf [1024]byte
		status, _, _ := procQueryObject.Call(h, nameInformation, uintptr(unsafe.Pointer(&buf)), unsafe.Sizeof(buf), 0)
		if status == 0 && strings.HasPrefix((*windows.NTUnicodeString)(unsafe.Pointer(&buf)).String(), `\Device\NamedPipe\`) {
			n++
		}
	}
	return n
}

const inheritedVariable = "VIADUCT_TEST_FILE"

// passFile has the child of cmd inherit f, which it gets from inherited.
func passFile(cmd *exec.Cmd, f *os.File) {
	h := f.Fd()
	windows.SetHandleInformation(windows.Handle(h), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT)
	cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(h)}}
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d", inheritedVariable, h))
}

func inherited() *os.File {
	h, err := strconv.Atoi(os.Getenv(inheritedVariable))
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(h), "inherited")
}

// suspend stops a process, and resume has it go on.
func suspend(t *testing.T, pid int) { call(t, "NtSuspendProcess", pid) }

func resume(t *testing.T, pid int) { call(t, "NtResumeProcess", pid) }

func call(t *testing.T, function string, pid int) {
	t.Helper()
	process, err := windows.OpenProcess(windows.PROCESS_SUSPEND_RESUME, false, uint32(pid))
	require.NoError(t, err)
	defer windows.CloseHandle(process)
	status, _, _ := windows.NewLazySystemDLL("ntdll.dll").NewProc(function).Call(uintptr(process))
	require.Zero(t, status)
}

// requireKilled verifies that the process was killed by somebody else than
// Close, which shows as a code alone.
func requireKilled(t *testing.T, exit *procspawn.Exit) {
	t.Helper()
	require.Equal(t, 1, exit.Code)
}

func onlyUnix(t *testing.T, why string) {
	t.Helper()
	t.Skip("not on Windows: " + why)
}

const terminates = false // there is no SIGTERM

// terminationSignal is what ends a process that does not end with its link.
func terminationSignal() os.Signal { return os.Kill }
