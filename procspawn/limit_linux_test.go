package procspawn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The greedy helper takes more and more of something once it has said that it is ready.
var _ = helper("greedy", func(args []string) {
	l := connect(nil)
	io.WriteString(l, "ready")
	switch args[0] {
	case "memory":
		var kept [][]byte
		for range 4096 {
			kept = append(kept, bytes.Repeat([]byte{1}, mebibyte))
		}
		runtime.KeepAlive(kept)
	case "heir's memory": // sh grows
		cmd := exec.Command("sh", "-c", `s=1234567890123456; while :; do s=$s$s; done`)
		must(cmd.Run())
	case "mapped memory":
		_, err := unix.Mmap(-1, 0, 3<<29, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		must(err)
	case "CPU":
		for n := 1; n > 0; n ^= 2 {
		}
	case "files":
		for {
			_, err := os.Open("/dev/null")
			must(err)
		}
	case "file size":
		f, err := os.Create(args[1])
		must(err)
		_, err = f.Write(make([]byte, 3*mebibyte))
		must(err)
	case "threads":
		for {
			go func() {
				runtime.LockOSThread()
				select {}
			}()
			time.Sleep(time.Millisecond)
		}
	}
	l.Read(make([]byte, 1))
})

// The big parent helper has 1 GiB of its own, and says which limits have ended a child that keeps
// within its own, and one that does not.
var _ = helper("big parent", func([]string) {
	kept := bytes.Repeat([]byte{1}, 1<<30)
	opts := &Options{Limits: Limits{Memory: 64 * mebibyte}}
	small, err := Start(context.Background(), selfCmd("echo"), opts)
	must(err)
	time.Sleep(3 * 100 * time.Millisecond) // it is looked at each 100 ms
	io.WriteString(small.Link(), "x")
	_, err = io.ReadFull(small.Link(), make([]byte, 1))
	must(err)
	exit := small.Stop()
	fmt.Print(exit.Limit.Limit, " ", exit.Limit.Certain, ", ")
	large, err := Start(context.Background(), selfCmd("greedy", "memory"), opts)
	must(err)
	<-large.Done()
	exit = large.Stop()
	fmt.Println(exit.By, exit.Limit.Certain)
	runtime.KeepAlive(kept)
})

// startGreedy starts a child that takes more than it may.
func startGreedy(t *testing.T, opts *Options, args ...string) *Process {
	p := startChild(t, selfCmd("greedy", args...), opts)
	expect(t, p, "ready")
	return p
}

// shell is a Cmd for a script that is no child of viaduct.
func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script, "sh", Here) }

// assertReached verifies which limit has ended a child.
func assertReached(t *testing.T, exit *Exit, limit Limit, certain bool) {
	t.Helper()
	assert.Equal(t, limit, exit.Limit.Limit, "%v", exit)
	assert.Equal(t, certain, exit.Limit.Certain, "%v", exit)
	assert.Equal(t, certain, exit.By == ByLimit, "%v", exit.By)
	assert.Contains(t, exit.Error(), "limit of "+limit.String())
}

// TestLimits: each ends a child that takes more, and the report says so.
func TestLimits(t *testing.T) {
	waits(t)
	skipMemory := func(t *testing.T) {
		if raceDetector {
			t.Skip("the race detector maps more than a child with a limit of memory may")
		}
	}
	t.Run("memory", func(t *testing.T) {
		skipMemory(t)
		t.Parallel()
		p := startGreedy(t, &Options{Limits: Limits{Memory: 64 * mebibyte}}, "memory")
		<-p.Done()
		assertReached(t, p.Exit(), LimitMemory, true)
		assert.Equal(t, os.Kill, p.Exit().Signal)
		assert.Contains(t, p.Exit().Limit.Evidence, "64 MiB is the limit")
	})
	t.Run("memory, with a parent that has much", func(t *testing.T) {
		skipMemory(t)
		t.Parallel()
		cmd := selfCmd("big parent")
		cmd.Args = without(cmd.Args, Here)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, "none false, limit true\n", string(out))
	})
	t.Run("memory of the group", func(t *testing.T) {
		skipMemory(t)
		t.Parallel()
		p := startGreedy(t, &Options{Group: true, Limits: Limits{Memory: 100 * mebibyte}}, "heir's memory")
		<-p.Done()
		assertReached(t, p.Exit(), LimitMemory, true)
	})
	t.Run("mapped memory", func(t *testing.T) {
		skipMemory(t)
		t.Parallel()
		p := startGreedy(t, &Options{Limits: Limits{Memory: 64 * mebibyte}}, "mapped memory")
		<-p.Done()
		assertReached(t, p.Exit(), LimitMemory, false)
	})
	t.Run("CPU", func(t *testing.T) {
		t.Parallel()
		p := startGreedy(t, &Options{Limits: Limits{CPU: time.Second}}, "CPU")
		<-p.Done()
		exit := p.Exit()
		assertReached(t, exit, LimitCPU, true)
		assert.Equal(t, 2, exit.Code)
		assert.GreaterOrEqual(t, exit.UserTime+exit.SystemTime, 3*time.Second/4)
		assert.Contains(t, string(exit.Crash), "limit_linux_test.go", "the crash does not show what has computed")
	})
	t.Run("CPU of another program", func(t *testing.T) {
		t.Parallel()
		_, err := Start(t.Context(), shell("while :; do :; done"), &Options{HandshakeTimeout: 10 * time.Minute, Limits: Limits{CPU: time.Second}})
		var start *StartError
		require.ErrorAs(t, err, &start)
		assertReached(t, start.Exit, LimitCPU, true)
		assert.Equal(t, syscall.SIGXCPU, start.Exit.Signal)
	})
	t.Run("CPU of one that ignores the signal", func(t *testing.T) {
		t.Parallel()
		_, err := Start(t.Context(), shell("trap '' XCPU; while :; do :; done"), &Options{HandshakeTimeout: 10 * time.Minute, Limits: Limits{CPU: time.Second}})
		var start *StartError
		require.ErrorAs(t, err, &start)
		assertReached(t, start.Exit, LimitCPU, false)
		assert.Equal(t, os.Kill, start.Exit.Signal)
	})
	t.Run("wall clock", func(t *testing.T) {
		t.Parallel()
		p := startGreedy(t, &Options{Limits: Limits{Wall: time.Second}}, "nothing")
		<-p.Done()
		assertReached(t, p.Exit(), LimitWall, true)
		assert.GreaterOrEqual(t, p.Exit().Lifetime, time.Second)
	})
	t.Run("wall clock, before the hello", func(t *testing.T) {
		t.Parallel()
		_, err := Start(t.Context(), shell("sleep 1000"), &Options{Group: true, Limits: Limits{Wall: 100 * time.Millisecond}})
		var start *StartError
		require.ErrorAs(t, err, &start)
		assert.Contains(t, err.Error(), "limit of wall clock time")
	})
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		p := startGreedy(t, &Options{Limits: Limits{Files: 10}}, "files")
		<-p.Done()
		assertReached(t, p.Exit(), LimitFiles, false)
	})
	t.Run("file size", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "f")
		p := startGreedy(t, &Options{Limits: Limits{FileSize: 2 * mebibyte}}, "file size", file)
		<-p.Done()
		assertReached(t, p.Exit(), LimitFileSize, false)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.EqualValues(t, 2*mebibyte, info.Size())
	})
	t.Run("file size of another program", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command("sh", "-c", `exec head -c 3000000 /dev/zero >"$0"`, filepath.Join(t.TempDir(), "f"), Here)
		_, err := Start(t.Context(), cmd, &Options{Limits: Limits{FileSize: 2 * mebibyte, Core: -1}})
		var start *StartError
		require.ErrorAs(t, err, &start)
		assertReached(t, start.Exit, LimitFileSize, true)
	})
	t.Run("processes", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root can give the child a user of its own")
		}
		t.Parallel()
		cmd := selfCmd("greedy", "threads")
		cmd.Path = "/proc/self/exe" // others may not get at the file by its name
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(100000 + os.Getpid()), Gid: 65534}}
		p := startChild(t, cmd, &Options{Limits: Limits{Processes: 32}})
		<-p.Done()
		assertReached(t, p.Exit(), LimitProcesses, false)
	})
}

// TestLimitsNotReached: they hold up nobody who keeps within them, and are not blamed for other ends.
func TestLimitsNotReached(t *testing.T) {
	noLeaks(t)
	limits := Limits{CPU: time.Hour, Wall: time.Hour, Files: 10, FileSize: 1, Core: -1, Nice: 5}
	if !raceDetector {
		limits.Memory = 64 * mebibyte
	}
	for _, death := range []ParentDeath{EndWithParent, KillWithParent, Detach} {
		for _, group := range []bool{false, true} {
			p := startChild(t, selfCmd("echo"), &Options{Limits: limits, ParentDeath: death, Group: group})
			echo(t, p, "there")
			exit := p.Stop()
			assert.Equal(t, 0, exit.Code, "%v", exit)
			assert.Zero(t, exit.Limit)
			p = startChild(t, selfCmd("echo"), &Options{Limits: limits, ParentDeath: death, Group: group})
			err := p.Kill()
			<-p.Done()
			require.NoError(t, err, "%v", p.Exit())
			assert.Zero(t, p.Exit().Limit)
			p = startChild(t, selfCmd("echo"), &Options{Limits: limits, ParentDeath: death, Group: group})
			require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGKILL))
			<-p.Done()
			assert.Zero(t, p.Exit().Limit)
			assert.Equal(t, BySignal, p.Exit().By)
		}
	}
}

// limitsSeen are what a shell that has limits prints of them, and of the signals that it blocks.
const limitsSeen = `while read name soft hard unit; do
	case $name in Max) echo $soft $hard $unit;; esac
done </proc/self/limits >&2
while read name value; do
	case $name in SigBlk:) echo $name $value;; esac
done </proc/self/status >&2
exit 3`

// TestLimitsFromTheStart: a program that runs for some 1 ms has its limits all that time, however
// busy the machine is.
func TestLimitsFromTheStart(t *testing.T) {
	noLeaks(t)
	opts := &Options{Limits: Limits{CPU: time.Minute - 1, Files: 77, FileSize: 1000000, Core: -1, Memory: 32 * mebibyte, Nice: 1}}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for range 50 {
				_, err := Start(t.Context(), shell(limitsSeen), opts)
				var start *StartError
				if !assert.ErrorAs(t, err, &start) {
					return
				}
				assert.Equal(t, 3, start.Exit.Code, "%v", err)
				for _, line := range []string{
					"cpu time 60 61 seconds", "open files 77 77 files", "file size 1000000 1000000 bytes", "core file size 1 1 bytes",
					fmt.Sprintf("data size %[1]d %[1]d bytes", (1024+32)*mebibyte), "SigBlk: 0000000000000000",
				} {
					assert.Contains(t, string(start.Exit.Stderr), line)
				}
			}
		})
	}
	all.Wait()
}

// TestHeapLimit: the collector of a Go child knows of its limit, unless it is told something else.
func TestHeapLimit(t *testing.T) {
	const name = "GOMEMLIMIT="
	_, err := Start(t.Context(), shell("echo $GOMEMLIMIT >&2; exit 3"), &Options{Limits: Limits{Memory: 100 * mebibyte}})
	assert.ErrorContains(t, err, "stderr: "+fmt.Sprint(80*mebibyte))
	_, err = Start(t.Context(), shell("echo $GOMEMLIMIT >&2; exit 3"), &Options{Env: []string{name + "off"}, Limits: Limits{Memory: 100 * mebibyte}})
	assert.ErrorContains(t, err, "stderr: off")
}
