package limits

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	keepsMemory    = true
	keepsCPU       = true
	keepsProcesses = true
	keepsFiles     = true
	keepsNice      = true
	keepsCgroup    = true

	leastProcesses = 16 // threads
)

// system is what keeps limits on Linux.
type system struct {
	resident resident            // of a process whose memory is watched
	cgroup   *cgroup             // nil: there is none
	user     *syscall.Credential // of the process; nil: that of this one
}

func (s *system) undo()       { s.cgroup.undo() }
func (s *system) held() int64 { return s.resident.read() }

func (s *system) close() {
	s.resident.close()
	s.cgroup.close()
}

// watches reports whether memory is looked at from here.
func (g *Guard) watches() bool { return g.cfg.Memory != 0 && g.cfg.Cgroup == nil }

func (g *Guard) prepare(cmd *exec.Cmd) (err error) {
	if cmd.SysProcAttr != nil {
		g.system.user = cmd.SysProcAttr.Credential
	}
	if g.stops() {
		if err := refusePrivileged(cmd); err != nil {
			return err
		}
	}
	if g.cfg.Processes != 0 && g.cfg.Cgroup == nil && isRoot(cmd) {
		return errors.New("procspawn: Options.Limits.Processes: root's processes are not limited, and the child would be root's: " +
			"give it another user by SysProcAttr.Credential, or give Limits.Cgroup")
	}
	if g.cfg.Cgroup == nil {
		return nil
	}
	if g.system.cgroup, err = openCgroup(g.cfg.Cgroup); err != nil {
		return err
	}
	if err := g.system.cgroup.set(&g.cfg); err != nil {
		g.Abandon()
		return err
	}
	return nil
}

// Cgroup returns the directory of the control group in which the process is to be started. It is
// nil if there is none, and good until End or Abandon.
func (g *Guard) Cgroup() *os.File {
	if g.system.cgroup == nil {
		return nil
	}
	return g.system.cgroup.dir
}

// stops reports whether anything is to be set before the process runs.
func (g *Guard) stops() bool {
	c := &g.cfg
	return c.Memory != 0 && c.Cgroup == nil || c.CPU != 0 || c.Processes != 0 && c.Cgroup == nil ||
		c.Files != 0 || c.FileSize != 0 || c.Core != 0 || c.Nice != 0
}

// AtStart returns what is to be called when the process has been started and has not executed an
// instruction; nil if nothing is.
func (g *Guard) AtStart() func(pid int) error {
	if !g.stops() {
		return nil
	}
	return func(pid int) error {
		if g.watches() {
			// By another thread: Options.OnThread may have forbidden this one to open files.
			opened := make(chan error)
			go func() { opened <- g.system.resident.open(pid, g.group) }()
			if err := <-opened; err != nil {
				return fmt.Errorf("procspawn: Options.Limits.Memory: the memory of the child cannot be read: %w", err)
			}
		}
		return g.cfg.apply(pid, g.system.user)
	}
}

// What a process may map to write to is this much more than what it may hold, the larger of both:
// Go maps more than it uses. It is for what is faster than the watcher.
const (
	mappedFactor = 4
	mappedMore   = 1 << 30
)

// noCore has the kernel write no core dump and start no program that would take it. With 0 it does
// start that.
const noCore = 1

// apply sets what the kernel keeps for each process.
func (c *Config) apply(pid int, user *syscall.Credential) error {
	seconds := uint64((c.CPU + time.Second - 1) / time.Second)
	core := uint64(c.Core)
	if c.Core < 0 {
		core = noCore
	}
	for _, l := range []struct {
		field      string
		set        bool
		resource   int
		soft, hard uint64
	}{
		{"Memory", c.Memory != 0 && c.Cgroup == nil, unix.RLIMIT_DATA, mapped(c.Memory), mapped(c.Memory)},
		{"CPU", c.CPU != 0, unix.RLIMIT_CPU, seconds, seconds + 1},
		{"Processes", c.Processes != 0 && c.Cgroup == nil, unix.RLIMIT_NPROC, uint64(c.Processes), uint64(c.Processes)},
		{"Files", c.Files != 0, unix.RLIMIT_NOFILE, uint64(c.Files), uint64(c.Files)},
		{"FileSize", c.FileSize != 0, unix.RLIMIT_FSIZE, uint64(c.FileSize), uint64(c.FileSize)},
		{"Core", c.Core != 0, unix.RLIMIT_CORE, core, core},
	} {
		if !l.set {
			continue
		}
		err := asUser(user, func() error { return lower(pid, l.resource, l.soft, l.hard) })
		if err != nil {
			return fmt.Errorf("procspawn: Options.Limits.%s cannot be set by prlimit (which a filter of seccomp may forbid, or needs CAP_SYS_RESOURCE for a child in a user namespace of its own): %w", l.field, err)
		}
	}
	if c.Nice != 0 {
		return c.setNice(pid)
	}
	return nil
}

// lower sets a limit of a process, unless it has a lower one.
func lower(pid, resource int, soft, hard uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return err
	}
	return unix.Prlimit(pid, resource, &unix.Rlimit{Cur: min(soft, old.Max), Max: min(hard, old.Max)}, nil)
}

// mapped is how much may be mapped to write to by a process that may hold so much.
func mapped(memory int64) uint64 {
	return max(mappedFactor*uint64(memory), uint64(memory)+mappedMore)
}

// refusePrivileged reports a program that would lose its privileges, because it is stopped by
// ptrace when it starts.
func refusePrivileged(cmd *exec.Cmd) error {
	if os.Geteuid() == 0 {
		return nil // which may give them all the same
	}
	path := cmd.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(cmd.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil // Cmd.Start says so
	}
	_, err = unix.Getxattr(path, "security.capability", nil)
	if info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 || err == nil {
		return fmt.Errorf("procspawn: %s is setuid, setgid or has capabilities, which the system does not give to a process that is stopped at its start, as Options.Limits ask for: "+
			"have another program execute it, or set no limits but Wall and those of a Cgroup", path)
	}
	return nil
}

// isRoot reports whether cmd's process will be root's.
func isRoot(cmd *exec.Cmd) bool {
	if attr := cmd.SysProcAttr; attr != nil && attr.Credential != nil {
		return attr.Credential.Uid == 0
	}
	return os.Geteuid() == 0
}

// judgeSignal says what a signal tells.
func judgeSignal(c *Config, o *Outcome) Reached {
	switch {
	case c.CPU != 0 && o.Signal == syscall.SIGXCPU:
		return Reached{CPU, true, "the system has sent SIGXCPU"}
	case c.CPU != 0 && o.killed() && o.Time >= cpuShare*(c.CPU+time.Second)/100:
		return Reached{CPU, false, fmt.Sprintf("it was killed when it had computed for %v", o.Time.Round(time.Millisecond))}
	case c.FileSize != 0 && o.Signal == syscall.SIGXFSZ:
		return Reached{FileSize, true, "the system has sent SIGXFSZ"}
	case o.Filtered && o.Signal == syscall.SIGSYS:
		return Reached{SystemCall, true, "the system has sent SIGSYS"}
	}
	return Reached{}
}

// cpuShare is how much of the time after which the kernel kills a process, in percent, makes one
// believe that it has done so. It counts ticks for that, on a busy machine some 15 % more than the
// time that it reports.
const cpuShare = 75

// judge says which limit the system has killed the process for.
func (s *system) judge(c *Config, o *Outcome) Reached { return s.cgroup.judge(c, o) }
