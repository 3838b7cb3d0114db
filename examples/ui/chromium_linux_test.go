package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/internal/chromium"
)

// program is the whole program, with a child of its own.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bufio.Scanner
}

// start starts the program with files that it takes for ever to hash.
func start(t *testing.T) *program {
	folder := t.TempDir()
	for i := range 12 {
		name := filepath.Join(folder, fmt.Sprintf("recording-%02d.wav", i+1))
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		length := int64(i+1) << 18
		if i > 3 {
			length <<= 8
		}
		require.NoError(t, os.Truncate(name, length))
	}
	cmd := exec.Command("/proc/self/exe", "-slow", "100ms", folder)
	cmd.Env = append(os.Environ(), "UI_TEST=program")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &program{t, cmd, bufio.NewScanner(stderr)}
}

// line waits for the program to log what matches a pattern, and returns the first group.
func (p *program) line(pattern string) string {
	p.t.Helper()
	expression := regexp.MustCompile(pattern)
	for p.stderr.Scan() {
		if m := expression.FindStringSubmatch(p.stderr.Text()); m != nil {
			return m[1]
		}
	}
	require.FailNow(p.t, "the program has ended, and never logged "+pattern)
	return ""
}

const (
	readyLine = `supervised child: ready .*pid=(\d+)`
	pageLine  = `the page is at (http://127\.0\.0\.1:\d+/\w+/)$`
)

// kill kills the child of the pid.
func kill(t *testing.T, pid string) {
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(n, unix.SIGKILL))
}

// handle is of use to see a process end that is no child of this one.
func handle(t *testing.T, pid string) int {
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	fd, err := unix.PidfdOpen(n, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// requireEnd waits for the end of a process.
func requireEnd(t *testing.T, pidfd int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if err != unix.EINTR {
			require.NoError(t, err)
			require.Equal(t, 1, n, "the child is still there")
			return
		}
	}
}

// remember keeps what the banner has said, in said.
const remember = `said = "", new MutationObserver(() => said += $("banner").textContent).observe($("banner"), {childList: true}), ""`

// bytesDone is the bytes read of all files, as their bars have it.
const bytesDone = `[...document.querySelectorAll("td progress")].reduce((sum, bar) => sum + bar.value, 0)`

func phaseIs(phase string) string {
	return fmt.Sprintf(`document.body.dataset.phase == %q && $("banner").hidden`, phase)
}

// TestChromium: the page shows the job as it goes on, light and dark, wide and narrow; its buttons and
// keys do what they say; the child is killed, and the page comes back and works as before; the program
// is killed, and the page says so before it ends.
func TestChromium(t *testing.T) {
	t.Parallel()
	b := chromium.New(t)
	p := start(t)
	url := p.line(pageLine)
	pid := p.line(readyLine)
	b.Open(url)
	b.WaitFor(phaseIs("running"))
	assert.Equal(t, "12", b.Eval(`document.querySelectorAll("#files tr").length`))
	b.Strike("Tab")
	assert.Equal(t, "go solid", b.Eval(`document.activeElement.id + " " + getComputedStyle(document.activeElement).outlineStyle`))
	b.WaitFor(`document.querySelectorAll("#files .sum:not(:empty)").length >= 2`) // files are done
	assert.Regexp(t, `^[0-9a-f]{64}$`, b.Eval(`document.querySelector("#files .sum").textContent`))
	b.WaitFor(`$("chart").querySelector(".line").getAttribute("d").split("L").length > 8`)
	assert.Greater(t, b.Look("light", 1100, 1150, "light"), uint32(200))
	assert.Less(t, b.Look("dark", 1100, 1150, "dark"), uint32(80))
	b.Look("narrow", 360, 1150, "light")
	b.Look("again", 1100, 1150, "light")
	assert.Contains(t, b.Eval(`$("speed").textContent`), "/s")
	assert.Contains(t, b.Eval(`$("log").textContent`), "hashing: running")

	// By the mouse and by keys: Pause, then the child is killed.
	b.Press("#go")
	b.WaitFor(phaseIs("paused"))
	assert.Equal(t, "Go on", b.Eval(`$("go").firstChild.textContent`))
	b.Look("paused", 1100, 1150, "dark")
	var before, after int
	fmt.Sscan(b.Eval(bytesDone), &before)
	b.Eval(remember)
	kill(t, pid)
	p.line("supervised child: (exited) .*killed")
	require.Equal(t, url, p.line(pageLine))
	pid = p.line(readyLine)
	b.WaitFor(`said.includes("Connection lost, trying again") && ` + phaseIs("paused"))
	b.WaitFor(`$("log").textContent.includes("supervised child: exited") && $("log").textContent.split("the page is open").length == 3`)
	fmt.Sscan(b.Eval(bytesDone), &after)
	assert.LessOrEqual(t, after-before, atOnce*32<<10, "it was to be paused: only what was being read is read")
	b.Eval(`document.activeElement.blur()`) // the button has it, which was pressed
	b.Strike("Space")
	b.WaitFor(phaseIs("running"))
	b.WaitFor(fmt.Sprintf(`%s > %d`, bytesDone, after+atOnce*32<<10))

	// The child is killed while the job runs; then all is done that is left, by keys.
	b.Eval(remember)
	kill(t, pid)
	p.line("supervised child: (exited)")
	pid = p.line(readyLine)
	b.WaitFor(`said.includes("Connection lost") && ` + phaseIs("running"))
	b.Eval(`$("go").focus()`)
	b.Strike("Space") // which the button takes, and nobody else
	b.WaitFor(phaseIs("paused"))
	b.Strike("Tab")
	assert.Equal(t, "cancel", b.Eval(`document.activeElement.id`))
	b.Strike("Enter")
	b.WaitFor(phaseIs("cancelled"))
	assert.Equal(t, "go Start again true", b.Eval(`[document.activeElement.id, $("go").firstChild.textContent, $("cancel").disabled].join(" ")`))
	b.Strike("Enter")
	b.WaitFor(phaseIs("running"))
	b.Strike("Escape")
	b.WaitFor(phaseIs("cancelled"))
	b.Press("#go")
	b.WaitFor(phaseIs("running"))

	// The program is killed.
	child := handle(t, pid)
	require.NoError(t, p.cmd.Process.Kill())
	b.WaitFor(`$("banner").textContent.startsWith("The program is gone")`)
	assert.Equal(t, "true true", b.Eval(`$("go").disabled + " " + $("cancel").disabled`))
	b.Look("gone", 1100, 1150, "light")
	requireEnd(t, child)
	assert.Contains(t, b.Eval(`$("banner").textContent`), "The program is gone", "there is no connection any more, but why was said")
}

// TestInterrupted: Ctrl-C, which reaches both, ends both in order, and the page says that.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	b := chromium.New(t)
	p := start(t)
	b.Open(p.line(pageLine))
	child := handle(t, p.line(readyLine))
	b.WaitFor(phaseIs("running"))
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	b.WaitFor(`$("banner").textContent == "The program has ended." && document.body.dataset.phase == "cancelled"`)
	for p.stderr.Scan() { // to its end
	}
	require.NoError(t, p.cmd.Wait())
	requireEnd(t, child)
}
