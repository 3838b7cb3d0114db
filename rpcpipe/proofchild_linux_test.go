package rpcpipe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The children of TestProof. Each inherits a file to which it writes a line when it is in
// its state; what it has started and means to leave behind it names there.

// raws are programs that do not use the library as they should: package
// procspawn has not seen their sentinel.
var raws = map[string]func(l pipePair){
	"exits at once":     func(pipePair) { inState(); os.Exit(3) },
	"never says hello":  func(pipePair) { inState(); hang() },
	"ignores SIGTERM":   func(pipePair) { signal.Ignore(syscall.SIGTERM); inState(); hang() },
	"says half a hello": func(l pipePair) { l.Write(helloBytes()[:40]); inState(); hang() },
	"says half a hello and exits": func(l pipePair) {
		l.Write(helloBytes()[:40])
		inState()
		os.Exit(4)
	},
	"wrong version": func(l pipePair) {
		hello := helloBytes()
		copy(hello[8:], "\x09\x00\x09\x00")
		l.Write(hello)
		inState()
		io.Copy(io.Discard, l)
	},
	"stops before its hello": func(pipePair) { stop(); hang() },
	"closes its pipes and lives on": func(l pipePair) {
		l.Close()
		inState()
		hang()
	},
	"closes its pipes and lives on, behind the hello": func(l pipePair) {
		shakeHands(l).Close()
		inState()
		hang()
	},
	"grandchild holds the pipes": func(l pipePair) {
		leave(l)
		inState()
		os.Exit(3)
	},
	"grandchild holds the pipes, behind the hello": func(l pipePair) {
		shakeHands(l)
		leave(l)
		inState()
		os.Exit(3)
	},
	"floods stdout before its hello": func(pipePair) { inState(); flood(os.Stdout) },
}

// steps are those of the protocol in which a child is killed: so many bytes of its hello are
// out (all if it is negative), and these frames; call says that it has seen a call before.
var steps = []struct {
	name   string
	hello  int
	call   bool
	frames string
}{
	{"before its hello", 0, false, ""},
	{"in the magic", 1, false, ""},
	{"in the head of its hello", 12, false, ""},
	{"behind the head of its hello", 16, false, ""},
	{"in its hello", 60, false, ""},
	{"behind its hello", -1, false, ""},
	{"behind the handshake", -2, false, ""},
	{"in its first credit", -2, false, credit[:5]},
	{"behind its credit", -2, false, credit},
	{"when a call has come", -2, true, ""},
	{"in the head of a reply", -2, true, wholeReply[:4]},
	{"behind the head of a reply", -2, true, wholeReply[:8]},
	{"in a reply", -2, true, wholeReply[:10]},
	{"behind a reply", -2, true, wholeReply},
	{"in a long reply", -2, true, frame(0x15, 0, "\xa0\x86\x01\x00\x00\x00\x00\x00"+strings.Repeat("x", 32760))[:20000]},
	{"behind the beginning of a long reply", -2, true, frame(0x15, 0, "\xa0\x86\x01\x00\x00\x00\x00\x00\x94\x01\x00\xc0\xc6\x00\x01\x86\x97"+strings.Repeat("x", 32751))},
	{"in a call", -2, true, wholeCall[:12]},
	{"behind a call", -2, true, wholeCall},
	{"in a long notification", -2, true, frame(0x16, 0, "\xa0\x86\x01\x00\x00\x00\x00\x00"+strings.Repeat("x", 32760))[:20000]},
	{"behind a notification", -2, true, frame(0x12, 0, "\x93\x02\xacService.Note\x91\x01")},
	{"behind an open", -2, true, open},
	{"in an open", -2, true, open[:12]},
	{"in the cancelling of a call", -2, true, wholeCall + frame(0x13, 0, "\x93\x02\xa8$/cancel\x91\x00")[:12]},
	{"behind a ping", -2, true, frame(0x30, 7, "")},
	{"behind shutdown", -2, true, frame(0x33, 0, "")},
	{"behind idle", -2, true, frame(0x33, 0, "") + frame(0x34, 0, "")},
	{"in the bye", -2, true, frame(0x32, 0, "")[:4]},
}

var (
	credit     = frame(0x20, 1<<20, "") + frame(0x21, 1<<20, "") + frame(0x22, 1<<20, "")
	wholeReply = frame(0x11, 0, "\x94\x01\x00\xc0\x03")
	wholeCall  = frame(0x10, 0, "\x94\x00\x00\xabService.Add\x91\xc0")
	open       = frame(0x40, 0, "\x00\x00\x01\x00\x00\x00\x00\x00")
)

// frame returns one frame of PROTOCOL.md.
func frame(kind byte, id uint32, payload string) string {
	b := []byte{kind, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, id)
	return string(b) + payload
}

func init() {
	for _, s := range steps {
		raws["killed "+s.name] = func(l pipePair) {
			switch {
			case s.hello >= 0:
				l.Write(helloBytes()[:s.hello])
			case s.hello == -1:
				l.Write(helloBytes())
			default:
				link := shakeHands(l)
				if s.call {
					io.WriteString(link, credit)
					awaitCall(link)
				}
				io.WriteString(link, s.frames)
			}
			inState()
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			hang()
		}
	}
	programs["raw"] = func(args []string) { runRaw(args[0], args[1]) }
	children["wrong name"] = func([]string) {
		defer inState()
		_, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Name: "other", Version: "1"})
		fmt.Fprintln(os.Stderr, err)
	}
	children["hangs"] = func([]string) { serveBadly(); hang() }
	children["hangs and ignores SIGTERM"] = func([]string) {
		signal.Ignore(syscall.SIGTERM)
		serveBadly()
		hang()
	}
	children["stops itself"] = func([]string) {
		p := connect(nil)
		stop()
		p.Wait()
	}
	children["floods stderr"] = func([]string) { serveBadlyFor(100 * time.Millisecond); flood(os.Stderr) }
	children["floods stdout"] = func([]string) { serveBadlyFor(100 * time.Millisecond); flood(os.Stdout) }
	children["prints one line of 10 MiB"] = func([]string) {
		p := serveBadly()
		os.Stderr.Write(bytes.Repeat([]byte("x"), 10<<20))
		os.Stdout.Write(bytes.Repeat([]byte("x"), 10<<20))
		p.Wait()
	}
	children["forks a daemon"] = func([]string) {
		unix.CloseOnExec(3)
		cmd := exec.Command("sleep", "1000")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(inherited(), "leaves", cmd.Process.Pid)
		serveBadly().Wait()
	}
	children["few files"] = func([]string) {
		p := connect(nil)
		if err := startWithFewFiles(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
		p.Close()
	}
	// "proof parent" starts another child, to be killed while that is in its state.
	children["proof parent"] = func(args []string) {
		connect(nil)
		cmd := proofCommand(args[0], inherited())
		opts := &rpcpipe.Options{HandshakeTimeout: time.Minute}
		if args[1] == "kill" {
			opts.ParentDeath = procspawn.KillWithParent
		}
		p, err := rpcpipe.Start(context.Background(), cmd, opts)
		if err == nil && strings.HasPrefix(args[0], "killed") {
			p.Go("Service.Park", 0, nil, nil)
		}
		hang()
	}
}

// serveBadly connects, and does not end with the link by itself.
func serveBadly() *rpcpipe.Peer { return serveBadlyFor(0) }

// serveBadlyFor has that ExitTimeout.
func serveBadlyFor(exit time.Duration) *rpcpipe.Peer {
	s := newService()
	opts := s.options()
	opts.ExitTimeout = exit
	p := s.use(connect(opts))
	inState()
	return p
}

// inState tells the test.
func inState() { fmt.Fprintln(inherited(), "ready") }

// hang never returns. select {} would be a deadlock to a runtime that waits for nothing else.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// stop is inState of a process that is stopped then.
func stop() {
	fmt.Fprintln(inherited(), "stops", os.Getpid())
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

// flood prints until nobody is left to read it.
func flood(f *os.File) {
	signal.Ignore(syscall.SIGPIPE)
	for {
		if _, err := f.Write(bytes.Repeat([]byte("flood\n"), 1000)); err != nil {
			hang()
		}
	}
}

// leave starts a program that has both ends of the link.
func leave(l pipePair) {
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{l.r, l.w}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Fprintln(inherited(), "leaves", cmd.Process.Pid)
}

// helloBytes returns a hello of this process.
func helloBytes() []byte {
	a, b := net.Pipe()
	go procspawn.Handshake(context.Background(), a, nil)
	head := make([]byte, 16)
	io.ReadFull(b, head)
	rest := make([]byte, binary.LittleEndian.Uint32(head[12:]))
	io.ReadFull(b, rest)
	return append(head, rest...)
}

func shakeHands(l pipePair) *procspawn.Link {
	opts := new(procspawn.Options)
	handles.SetHello(opts, handles.Hello{Features: []string{"streams", "shutdown"}})
	link, err := procspawn.Handshake(context.Background(), l, opts)
	if err != nil {
		panic(err)
	}
	return link
}

func awaitCall(link *procspawn.Link) {
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte("Service.Park")) {
		n, err := link.Read(buf)
		if err != nil {
			panic(err)
		}
		got = append(got, buf[:n]...)
	}
}

// runRaw runs one of raws. place is the second word of its sentinel.
func runRaw(name, place string) {
	var l pipePair
	var r, w int
	fmt.Sscanf(place, "fd:%d,%d", &r, &w)
	l.r, l.w = os.NewFile(uintptr(r), "r"), os.NewFile(uintptr(w), "w")
	for fd := r; fd <= w+1; fd++ {
		unix.CloseOnExec(fd)
	}
	raws[name](l)
	runtime.KeepAlive(l) // nobody else closes them
}

// startWithFewFiles starts children with ever more descriptors to be had.
func startWithFewFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	started := false
	for free := range 24 {
		before := fileList()
		low := limit
		low.Cur = uint64(len(before) + free)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			return err
		}
		p, err := rpcpipe.Start(context.Background(), procspawn.Self("service"), nil)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		var start *procspawn.StartError
		switch {
		case err == nil:
			started = true
			if err := p.Close(); err != nil {
				return err
			}
			p.Wait()
		case !errors.Is(err, syscall.EMFILE) && !errors.As(err, &start):
			return fmt.Errorf("with %d descriptors: %w", free, err)
		}
		if after := fileList(); len(after) > len(before) {
			return fmt.Errorf("with %d descriptors: %q were open before the start, %q are now; start: %v", free, before, after, err)
		}
	}
	if !started {
		return errors.New("no start came about")
	}
	return nil
}

// fileList lists the descriptors of this process and what they are, without those of the C
// library, which looks up the number of processors when it begins a thread, and of the list itself.
func fileList() (list []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "/sys/") {
			list = append(list, e.Name()+" "+target)
		}
	}
	return list
}
