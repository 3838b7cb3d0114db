package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// fewDescriptors starts children when n descriptors are left.
func (s *stage) fewDescriptors(n int) {
	top := highest()
	for fd := -1; fd < top; { // none is free below
		f, err := os.Open(os.DevNull)
		if err != nil {
			s.found("unknown error", "%v", err)
			return
		}
		defer f.Close()
		fd = int(f.Fd())
	}
	defer s.limit(syscall.RLIMIT_NOFILE, uint64(highest()+1+n))()
	for range 3 {
		s.sees(s.attempt(nil))
	}
}

// linkWithoutDescriptors uses a link when none are left. It needs none.
func (s *stage) linkWithoutDescriptors() {
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("rest"), options())
	if err != nil {
		s.found("wrong answer", "start: %v", err)
		return
	}
	back := s.limit(syscall.RLIMIT_NOFILE, 3)
	for range 20 {
		if err := s.use(p, 1<<20); err != nil {
			s.found("wrong answer", "a link without new descriptors: %v", err)
			break
		}
		s.Worked++
	}
	p.Close()
	p.Wait()
	back()
}

// childWithFewDescriptors starts children that may have few.
func (s *stage) childWithFewDescriptors() {
	for n := 10; n < 30; n++ {
		opts := options()
		opts.Limits.Files = n
		s.sees(s.attemptWith(nil, opts))
	}
}

// childWithLittleSpace calls children that cannot hold what comes.
func (s *stage) childWithLittleSpace() {
	for _, mib := range []int{0, 1, 8, 64, 512} {
		p, err := rpcpipe.Start(context.Background(), procspawn.Self("thin", strconv.Itoa(mib)), options())
		if err != nil {
			s.sees(err)
			continue
		}
		s.sees(s.use(p, 1000))
		s.sees(s.use(p, 60<<20))
		p.Close()
		p.Wait()
	}
}

// thin serves with so many MiB of address space more than it has.
func thin(mib string) error {
	n, err := strconv.ParseUint(mib, 10, 64)
	if err != nil {
		return err
	}
	if err := limitSpace(n << 20); err != nil {
		return err
	}
	return serve(0)
}

// limitSpace has this process take so many bytes more at most.
func limitSpace(more uint64) error {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &old); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: uint64(status("VmSize:")) + more, Max: old.Max})
}

// parentWithoutSpace has a process with a child of its own run out of address space: the child ends.
func (s *stage) parentWithoutSpace() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		s.found("unknown error", "prctl: %v", err)
		return
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	pid := make(chan int, 1)
	opts := toldOptions(pid)
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("starved"), opts)
	if err != nil {
		s.found("wrong answer", "start: %v", err)
		return
	}
	s.sees(p.Wait())
	p.Close()
	select {
	case grandchild := <-pid:
		if _, err := syscall.Wait4(grandchild, nil, 0, nil); err != nil && err != syscall.ECHILD {
			s.found("unknown error", "wait4: %v", err)
		}
	default:
		s.found("wrong answer", "it has ended before it had a child")
	}
}

// starved starts a child, and takes memory until there is none.
func starved() error {
	up, err := rpcpipe.Connect(context.Background(), options())
	if err != nil {
		return err
	}
	p, err := rpcpipe.Start(context.Background(), serving(), options())
	if err != nil {
		return err
	}
	loadOn(p, 4, 1)
	if err := up.Notify(context.Background(), "Service.Note", &Data{N: p.Process().Pid()}); err != nil {
		return err
	}
	if err := limitSpace(64 << 20); err != nil {
		return err
	}
	for held := [][]byte(nil); ; {
		held = append(held, make([]byte, 1<<20))
		runtime.KeepAlive(held)
	}
}

// noProcesses starts children when this user may have no more.
func (s *stage) noProcesses() {
	threads() // or this process would die of a thread that it cannot have
	back := s.limit(unix.RLIMIT_NPROC, 0)
	for range 3 {
		err := s.attempt(nil)
		if err == nil {
			s.found("wrong answer", "a child was started by a user who may have none")
		}
		s.sees(err)
	}
	back()
}

// threads has the runtime start some, which stay.
func threads() {
	var all, there sync.WaitGroup
	const n = 24
	there.Add(n)
	for range n {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			there.Done()
			there.Wait()
		})
	}
	all.Wait()
}

// smallPipes starts and uses children when this user's pipes are as small as the system makes them.
func (s *stage) smallPipes() {
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	text, err := os.ReadFile("/proc/sys/fs/pipe-user-pages-soft")
	if err != nil {
		s.found("unknown error", "%v", err)
		return
	}
	pages, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	for held := 0; held < pages; held += 256 {
		r, w, err := os.Pipe()
		if err != nil {
			s.found("unknown error", "pipe: %v", err)
			return
		}
		files = append(files, r, w)
		raw, _ := w.SyscallConn()
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
	r, w, err := os.Pipe()
	if err != nil {
		s.found("unknown error", "pipe: %v", err)
		return
	}
	files = append(files, r, w)
	size := 0
	raw, _ := w.SyscallConn()
	raw.Control(func(fd uintptr) { size, _ = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
	if size >= 64<<10 {
		s.found("wrong answer", "pipes still have %d bytes", size)
	}
	for range 5 {
		err := s.attempt(nil)
		if err != nil {
			s.found("wrong answer", "with small pipes: %v", err)
		}
		s.sees(err)
	}
}

// fullDisk records a link to a disk that gets full.
func (s *stage) fullDisk() {
	dir, err := os.MkdirTemp("", "proof-disk")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")
	}
	if err != nil {
		s.found("unknown error", "a disk: %v", err)
		return
	}
	defer os.Remove(dir)
	defer syscall.Unmount(dir, 0)
	told := new(countHandler)
	opts := options()
	opts.Logger = slog.New(told)
	opts.Tap = &rpcpipe.Tap{File: filepath.Join(dir, "tap"), Contents: true}
	err = s.attemptWith(nil, opts)
	if err != nil {
		s.found("wrong answer", "with a full disk: %v", err)
	}
	s.sees(err)
	if told.n() == 0 {
		s.found("wrong answer", "the disk was full, and the Logger was not told")
	}
}

// noProc does without /proc.
func (s *stage) noProc() {
	if err := syscall.Unmount("/proc", syscall.MNT_DETACH); err != nil {
		s.found("unknown error", "umount: %v", err)
		return
	}
	for range 3 {
		err := s.attempt(nil)
		if err != nil && !strings.Contains(err.Error(), "no such file") { // what go run has built may be gone
			s.found("wrong answer", "without /proc: %v", err)
		}
		s.sees(err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		s.found("unknown error", "mount: %v", err)
	}
}

// crowd starts many children at once, uses them, and ends them at once.
func (s *stage) crowd() {
	var all sync.WaitGroup
	errs := make(chan error, s.crowdSize)
	for range s.crowdSize {
		all.Go(func() {
			p, err := rpcpipe.Start(context.Background(), procspawn.Self("rest"), options())
			if err == nil {
				err = s.use(p, 1000)
			}
			errs <- err
			if p != nil {
				p.Close()
				p.Wait()
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		s.sees(err)
	}
	s.Figures["children at once"] = s.crowdSize
}

// countHandler counts records.
type countHandler struct {
	slog.Handler
	mu    sync.Mutex
	count int
}

func (h *countHandler) n() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func (h *countHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *countHandler) Handle(context.Context, slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	return nil
}
