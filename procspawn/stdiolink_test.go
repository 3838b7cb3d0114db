package procspawn

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// The chatty helper prints to its standard output, reads its standard input, and lets programs that
// it starts do so, while it echoes.
var _ = helper("chatty", func([]string) {
	fmt.Println("before")
	l := connect(nil)
	fmt.Println("after")
	in, err := io.ReadAll(os.Stdin)
	fmt.Printf("stdin: %q %v\n", in, err)
	cmd := exec.Command(os.Args[0], "helper:copy")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	must(cmd.Run())
	io.Copy(l, l)
})

var _ = helper("copy", func([]string) { io.Copy(os.Stdout, os.Stdin) })

var stdio1 = &Options{Stdio: true}

// wrapped is a helper behind env, which passes on nothing but the standard streams.
func wrapped(script string, args ...string) *exec.Cmd {
	self := selfCmd(args[0], args[1:]...)
	words := append([]string{"-c", script + ` exec env "$@"`, "sh", self.Args[0], Here}, self.Args[1:]...)
	return exec.Command("sh", words...)
}

func TestStdio(t *testing.T) {
	noLeaks(t)
	p := startChild(t, selfCmd("chatty"), stdio1)
	echo(t, p, "hello")
	echo(t, p, strings.Repeat("long", 10000))
	exit := p.Stop()
	assert.Equal(t, "before\nafter\nstdin: \"\" <nil>\n", string(exit.Stderr))
	assert.Empty(t, exit.Stdout)
	assert.Equal(t, 0, exit.Code)
}

// TestStdioWithOneOutput: somebody has written 2>&1, so that standard error is the link, too.
func TestStdioWithOneOutput(t *testing.T) {
	onlyUnix(t, "no sh")
	noLeaks(t)
	self := selfCmd("chatty")
	p := startChild(t, exec.Command("sh", append([]string{"-c", `exec "$@" 2>&1`, "sh", self.Args[0], Here}, self.Args[1:]...)...), stdio1)
	echo(t, p, "hello")
	assert.Empty(t, p.Stop().Stderr)
}

// TestStdioBehindEnv: others have printed, and have closed every other descriptor.
func TestStdioBehindEnv(t *testing.T) {
	onlyUnix(t, "no env and no sh")
	for _, tt := range []struct {
		name, script, printed string
	}{
		{"nothing", "", ""},
		{"a greeting", "echo Welcome;", "Welcome\n"},
		{"half a hello", `printf '\361VIADUC\361VIA\361';`, "\xf1VIADUC\xf1VIA\xf1"},
		{"64 KiB", "head -c 65536 /dev/zero;", strings.Repeat("\x00", 65536)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			p := startChild(t, wrapped(tt.script, "echo"), stdio1)
			echo(t, p, "hello")
			exit := p.Stop()
			assert.Equal(t, tt.printed, string(exit.Stdout))
			assert.True(t, exit.StdoutCaptured)
			assert.Equal(t, 0, exit.Code)
		})
	}
}

func TestStdioRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  *exec.Cmd
		want []string
	}{
		{"too much", wrapped("head -c 65550 /dev/zero;", "echo"), []string{"no hello within the first 65536 bytes"}},
		{"another program", exec.Command("sh", "-c", "echo usage: nothing; echo and why >&2; exit 3", "sh", Here), []string{"before its hello: exit status 3", "stderr: and why", "stdout: usage: nothing"}},
		{"a terminal", exec.Command("sh", "-c", `exec "$@" </dev/null`, "sh", selfCmd("echo").Path, Here, "helper:echo"), []string{"descriptor 0 (the link's read end) is a character device", "ssh -T"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onlyUnix(t, "no sh")
			noLeaks(t)
			_, err := Start(t.Context(), tt.cmd, stdio1)
			for _, text := range tt.want {
				assert.ErrorContains(t, err, text)
			}
		})
	}
	for _, set := range []func(*exec.Cmd){
		func(c *exec.Cmd) { c.Stdin = strings.NewReader("") },
		func(c *exec.Cmd) { c.Stdout = io.Discard },
		func(c *exec.Cmd) { c.Stdin = os.Stdin },
	} {
		cmd := selfCmd("echo")
		set(cmd)
		_, err := Start(t.Context(), cmd, stdio1)
		assert.ErrorContains(t, err, "Cmd.Stdin and Cmd.Stdout must be nil")
	}
}

// TestStdioChildDies: the link says how, as any other does.
func TestStdioChildDies(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	if runtime.GOOS != "windows" {
		cmd = wrapped("", "echo")
	}
	p := startChild(t, cmd, stdio1)
	echo(t, p, "hello")
	require.NoError(t, p.cmd.Process.Kill())
	_, err := readEnd(p)
	var exit *Exit
	require.ErrorAs(t, err, &exit)
	assertKilled(t, exit)
}

// TestHandshakeJunk: Handshake passes over what comes before the hello, however it is cut.
func TestHandshakeJunk(t *testing.T) {
	hello := newHello(nil)
	for _, junk := range []string{"", "x", "motd\r\n", "\xf1", "\xf1\xf1VIA", "\xf1VIADUC", strings.Repeat("\xf1VIADUC", 1000)} {
		for _, size := range []int{1, 3, 7, 8, 9, 1000} {
			a, b := net.Pipe()
			go func() {
				for part := range slicesOf(junk+string(hello.append(nil))+"rest", size) {
					b.Write([]byte(part))
				}
			}()
			go io.Copy(io.Discard, b)
			l, err := Handshake(t.Context(), a, stdio1)
			require.NoError(t, err, "%q", junk)
			got := make([]byte, 4)
			_, err = io.ReadFull(l, got)
			require.NoError(t, err)
			assert.Equal(t, "rest", string(got)) // not a byte too much was read
			printed, _ := l.beforeHello.Bytes()
			assert.Equal(t, junk, string(printed))
			a.Close()
			b.Close()
		}
	}
	a, b := net.Pipe()
	go func() {
		b.Write([]byte("no such host\n"))
		b.Close()
	}()
	_, err := Handshake(t.Context(), a, stdio1)
	assert.ErrorContains(t, err, "before that came: no such host")
	assert.ErrorIs(t, err, io.EOF)
}

func FuzzSkipJunk(f *testing.F) {
	f.Add([]byte("\xf1VIADUCT"), 1)
	f.Add([]byte("x\xf1VIA\xf1VIADUCTrest"), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = max(1, size%20)
		r := &cutReader{data: data, size: size}
		err := skipJunk(r, new(capture.Tail))
		at := bytes.Index(data, []byte(helloMagic))
		if at >= 0 && at <= maxJunk {
			require.NoError(t, err)
			require.Equal(t, data[at+len(helloMagic):], r.data)
		} else {
			require.Error(t, err)
		}
	})
}

// cutReader returns size bytes at a time.
type cutReader struct {
	data []byte
	size int
}

func (r *cutReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.size, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

// slicesOf cuts s into pieces.
func slicesOf(s string, size int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i < len(s); i += size {
			if !yield(s[i:min(i+size, len(s))]) {
				return
			}
		}
	}
}
