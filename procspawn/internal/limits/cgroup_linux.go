package limits

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup is a control group of version 2, in which a process is started.
type cgroup struct {
	dir  *os.File
	old  []cgroupFile // what the files had that were set, in their order
	kept counters     // before the process was started
}

type cgroupFile struct{ name, content string }

// counters are how often a group could not be given something.
type counters struct {
	full   int // times that memory.max was reached and nothing could be freed
	killed int // processes of it that were killed for lack of memory
	forks  int // processes refused because of pids.max
}

// openCgroup opens the directory again, so that the caller's need not stay open.
func openCgroup(dir *os.File) (*cgroup, error) {
	const expected = "the directory of a control group of version 2 was expected, such as os.Open(\"/sys/fs/cgroup/mine\")"
	again, err := openAt(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("procspawn: Options.Limits.Cgroup is %s: %s: %w", dir.Name(), expected, err)
	}
	var system unix.Statfs_t
	if err := control(again, func(fd int) error { return unix.Fstatfs(fd, &system) }); err != nil || system.Type != unix.CGROUP2_SUPER_MAGIC {
		again.Close()
		return nil, fmt.Errorf("procspawn: Options.Limits.Cgroup is %s, which is none: %s", dir.Name(), expected)
	}
	return &cgroup{dir: again}, nil
}

// set sets the limits of the group. If it fails undo is to follow.
func (c *cgroup) set(cfg *Config) error {
	for _, f := range []struct {
		field, name, controller string
		limit                   int64
	}{
		{"Memory", "memory.max", "memory", cfg.Memory},
		{"Processes", "pids.max", "pids", int64(cfg.Processes)},
	} {
		if f.limit == 0 {
			continue
		}
		old, err := c.read(f.name)
		if err == nil {
			err = c.write(f.name, strconv.FormatInt(f.limit, 10))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("procspawn: Options.Limits.%s: the control group has no %s: write +%s to cgroup.subtree_control of the group above it, or leave out Limits.Cgroup: %w",
				f.field, f.name, f.controller, err)
		case err != nil:
			return fmt.Errorf("procspawn: Options.Limits.%s: %s of the control group cannot be set: give a group of your own: %w", f.field, f.name, err)
		}
		c.old = append(c.old, cgroupFile{f.name, old})
	}
	c.kept = c.count()
	return nil
}

// undo gives the files what they had.
func (c *cgroup) undo() {
	if c == nil {
		return
	}
	for _, f := range c.old {
		c.write(f.name, f.content)
	}
}

func (c *cgroup) close() {
	if c != nil {
		c.dir.Close()
	}
}

func (c *cgroup) count() (n counters) {
	n.full, n.killed = c.counter("memory.events.local", "oom"), c.counter("memory.events.local", "oom_kill")
	n.forks = c.counter("pids.events", "max")
	return n
}

// counter returns a number of a file that has one a line, behind its name; 0 if it has not.
func (c *cgroup) counter(file, name string) (n int) {
	text, _ := c.read(file)
	_, rest, _ := strings.Cut("\n"+text, "\n"+name+" ")
	fmt.Sscan(rest, &n)
	return n
}

// judge says which limit of the group has ended the process.
func (c *cgroup) judge(cfg *Config, o *Outcome) Reached {
	if c == nil || o.Stopped || o.Signal == nil && o.Code == 0 {
		return Reached{}
	}
	now := c.count()
	if cfg.Memory != 0 && o.killed() && now.full > c.kept.full && now.killed > c.kept.killed {
		return Reached{Memory, true, "memory.events of its control group"}
	}
	r := cfg.judge(o)
	if r.Limit == Processes && now.forks > c.kept.forks {
		r.Certain = true
		r.Evidence += ", and pids.events of its control group"
	}
	return r
}

func (c *cgroup) read(name string) (string, error) {
	f, err := openAt(c.dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

func (c *cgroup) write(name, text string) error {
	f, err := openAt(c.dir, name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// openAt opens a file of a directory.
func openAt(dir *os.File, name string, flags int) (f *os.File, err error) {
	err = control(dir, func(fd int) error {
		n, err := unix.Openat(fd, name, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: dir.Name() + "/" + name, Err: err}
		}
		f = os.NewFile(uintptr(n), dir.Name()+"/"+name)
		return nil
	})
	return f, err
}

// control calls f with the descriptor of a file.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}
