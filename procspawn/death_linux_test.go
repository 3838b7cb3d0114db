package procspawn

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// The middle helper is a parent for the test to kill. It hands the first of its extra files on to
// its own child, and says there what went wrong.
var _ = helper("middle", func(args []string) {
	connect(nil)
	out := os.NewFile(3, "out")
	what, _ := strconv.Atoi(args[0])
	cmd := selfCmd(args[1], args[2:]...)
	cmd.ExtraFiles = []*os.File{out}
	if _, err := Start(context.Background(), cmd, &Options{ParentDeath: ParentDeath(what)}); err != nil {
		fmt.Fprintln(out, err)
	}
	out.Close()
	select {}
})

// The orphan helper says its number, and then when the link ends.
var (
	_ = helper("orphan", func(args []string) {
		opts := &Options{}
		if len(args) > 1 {
			opts.ExitTimeout = -1
		}
		l := connect(opts)
		out := os.NewFile(3, "out")
		end := make(chan error, 1)
		go func() {
			_, err := readLink(l)
			end <- err
		}()
		if args[0] == "starves" {
			for reads := false; !reads; _, reads = child.pipe.Reading() {
				runtime.Gosched()
			}
			starve()
		}
		fmt.Fprintln(out, os.Getpid())
		switch args[0] {
		case "spins":
			for range runtime.NumCPU() {
				go func() {
					for i := 0; ; i++ {
						runtime.KeepAlive(i)
					}
				}()
			}
		case "hangs":
			// Nothing in it runs: every signal is blocked, it is stopped, and wakes no more.
			signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		}
		fmt.Fprintln(out, "saw:", <-end)
		select {}
	})
)

// starve has so much to compute, on one processor, that each goroutine waits for 2 s for its turn.
func starve() {
	runtime.GOMAXPROCS(1)
	for range 200 {
		go func() {
			for i := 0; ; i++ {
				runtime.KeepAlive(i)
			}
		}()
	}
}

// startOrphan starts a child whose parent is p, which the test can kill; out ends when both have
// ended.
func startOrphan(t *testing.T, what ParentDeath, args ...string) (p *Process, pid int, out *bufio.Reader) {
	t.Helper()
	return startOrphanOf(t, selfCmd("middle", append([]string{strconv.Itoa(int(what)), "orphan"}, args...)...))
}

// startOrphanOf is startOrphan with a Cmd for the parent.
func startOrphanOf(t *testing.T, cmd *exec.Cmd) (p *Process, pid int, out *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	cmd.ExtraFiles = []*os.File{w}
	p = startChild(t, cmd, nil)
	w.Close()
	out = bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	return p, pid, out
}

// awaitState waits until a process that is no child of ours is in a state, as /proc names it.
func awaitState(t *testing.T, pid int, state string) {
	t.Helper()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(rest, state) {
			return
		}
		runtime.Gosched()
	}
}

// TestParentDies: by default the child sees it at once, even if it was stopped, and is gone within
// a second.
func TestParentDies(t *testing.T) {
	waits(t)
	for _, kind := range []string{"idle", "spins", "stopped"} {
		t.Run(kind, func(t *testing.T) {
			p, pid, out := startOrphan(t, EndWithParent, kind)
			if kind == "stopped" {
				require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
				awaitState(t, pid, "T")
			}
			busy := watchLoad()
			begin := time.Now()
			require.NoError(t, p.cmd.Process.Kill())
			line, err := out.ReadString('\n')
			saw := time.Since(begin)
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("saw: parent %d is gone\n", p.Pid()), line)
			_, err = io.ReadAll(out)
			require.NoError(t, err)
			gone := time.Since(begin)
			load := busy()
			if kind != "spins" { // which is itself the load
				assert.Less(t, saw, slack(grace)+load)
			}
			assert.Less(t, gone, time.Second+load)
		})
	}
}

// TestParentDiesStarved: the child computes with 200 goroutines on one processor, and is gone within
// a second all the same, in most cases. In some it has even seen why.
func TestParentDiesStarved(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector even what runs next is late at times")
	}
	noLeaks(t)
	saw, inTime := 0, 0
	for tries := 0; tries < 5 && (saw < 1 || inTime < 2); tries++ {
		p, _, out := startOrphan(t, EndWithParent, "starves")
		busy := watchLoad()
		begin := time.Now()
		require.NoError(t, p.cmd.Process.Kill())
		rest, err := io.ReadAll(out)
		took, load := time.Since(begin), busy()
		require.NoError(t, err)
		assert.Less(t, took, starvedLimit)
		if took < time.Second+load {
			inTime++
		}
		if string(rest) == fmt.Sprintf("saw: parent %d is gone\n", p.Pid()) {
			saw++
		} else {
			assert.Empty(t, rest)
		}
	}
	assert.NotZero(t, saw)
	assert.GreaterOrEqual(t, inTime, 2)
}

// starvedLimit is for when other processes have the processors, too: how long the child is kept from
// them is not for it to say.
const starvedLimit = 20 * time.Second

// The starves early helper does so before it connects.
var _ = helper("starves early", func([]string) {
	out := os.NewFile(3, "out")
	starve()
	fmt.Fprintln(out, os.Getpid())
	select {}
})

// TestParentDiesStarvedEarly: so is one that has not connected.
func TestParentDiesStarvedEarly(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector even what runs next is late at times")
	}
	noLeaks(t)
	inTime := 0
	for tries := 0; tries < 2 && inTime == 0; tries++ {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		cmd := selfCmd("middle", strconv.Itoa(int(EndWithParent)), "starves early")
		cmd.ExtraFiles = []*os.File{w}
		p := startChild(t, cmd, nil)
		w.Close()
		out := bufio.NewReader(r)
		_, err = out.ReadString('\n')
		require.NoError(t, err)
		busy := watchLoad()
		begin := time.Now()
		require.NoError(t, p.cmd.Process.Kill())
		_, err = io.ReadAll(out)
		require.NoError(t, err)
		r.Close()
		took := time.Since(begin)
		assert.Less(t, took, starvedLimit)
		if took < time.Second+busy() {
			inTime++
		}
	}
	assert.NotZero(t, inTime)
}

// TestKillWithParent: the child is stopped, and ignores what it can.
func TestKillWithParent(t *testing.T) {
	noLeaks(t)
	p, pid, out := startOrphan(t, KillWithParent, "hangs", "forever")
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	awaitState(t, pid, "T")
	within(t, time.Second, "the end of the child", func() {
		require.NoError(t, p.cmd.Process.Kill())
		rest, err := io.ReadAll(out)
		require.NoError(t, err)
		assert.Empty(t, rest)
	})
}

func TestDetach(t *testing.T) {
	waits(t)
	p, pid, out := startOrphan(t, Detach, "idle")
	begin := time.Now()
	require.NoError(t, p.cmd.Process.Kill())
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "saw: parent")
	<-p.Done()
	// It would be gone after exitShare of a second; it must not be.
	alive := make(chan error, 1)
	go func() {
		_, err := out.ReadByte()
		alive <- err
	}()
	select {
	case err := <-alive:
		t.Error("the child is gone:", err)
	case <-time.After(1200 * time.Millisecond):
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		<-alive
	}
	assert.Greater(t, time.Since(begin), time.Second)
}

// TestStarterThread: children get no signal while their parent lives, although the threads that
// asked for them end, and the thread that starts them ends with the last one.
func TestStarterThread(t *testing.T) {
	noLeaks(t)
	threads := func() int {
		list, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		return len(list)
	}
	first := threads()
	var wg sync.WaitGroup
	ps := make([]*Process, 8)
	for i := range ps {
		wg.Go(func() {
			runtime.LockOSThread() // and the thread ends with this goroutine
			cmd := selfCmd("echo")
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			p, err := Start(context.Background(), cmd, nil)
			if assert.NoError(t, err) {
				ps[i] = p
			}
		})
	}
	wg.Wait()
	for _, p := range ps {
		echo(t, p, "alive")
		wg.Go(func() { p.Stop() })
	}
	wg.Wait()
	assert.LessOrEqual(t, threads(), first+20) // the runtime keeps some, not one for each child
}

// TestDetachedForksHere: what is bound to the caller's thread reaches the child.
func TestDetachedForksHere(t *testing.T) {
	affinity := func(p *Process) string {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(status), "Cpus_allowed_list:")
		return strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0])
	}
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU only: there is nothing to be bound to")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		bindThread(t)
		p, err := Start(context.Background(), selfCmd("echo"), &Options{ParentDeath: Detach})
		if assert.NoError(t, err) {
			assert.Equal(t, "0", affinity(p))
			p.Stop()
		}
		p, err = Start(context.Background(), selfCmd("echo"), nil)
		if assert.NoError(t, err) {
			assert.NotEqual(t, "0", affinity(p))
			p.Stop()
		}
	}()
	<-done
}

func TestPtraceIsRefused(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	_, err := Start(t.Context(), cmd, &Options{HandshakeTimeout: 100 * time.Millisecond})
	require.ErrorContains(t, err, "Ptrace")
}

// TestSocketHalfClosed: a child behind sshd, which has not connected yet, sees the end of its
// standard input, a socket.
func TestSocketHalfClosed(t *testing.T) {
	waits(t)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	theirs := os.NewFile(uintptr(fds[1]), "theirs")
	defer syscall.Close(fds[0])
	words := sentinel.StdioWords()
	cmd := exec.Command(selfCmd("").Path, words[0], words[1], "helper:forever")
	cmd.Stdin, cmd.Stdout = theirs, theirs
	cmd.Stderr = new(bytes.Buffer)
	require.NoError(t, cmd.Start())
	theirs.Close()
	within(t, 2*time.Second, "the end of the child", func() {
		require.NoError(t, syscall.Shutdown(fds[0], syscall.SHUT_WR))
		assert.NoError(t, cmd.Wait(), "%v", cmd.Stderr)
	})
}

var _ = helper("forever", func([]string) { select {} })

// TestInterruptWithoutLink: a child that has no link, as it cannot be used, dies of SIGINT as any
// program does.
func TestInterruptWithoutLink(t *testing.T) {
	cmd := exec.Command(selfCmd("").Path, "viaduct.1", "fd:50,51", "helper:interrupts itself")
	err := cmd.Run()
	require.ErrorContains(t, err, "signal: interrupt")
}

var _ = helper("interrupts itself", func([]string) {
	syscall.Kill(os.Getpid(), syscall.SIGINT)
	select {}
})
