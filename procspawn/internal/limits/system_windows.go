package limits

import (
	"fmt"
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	keepsMemory    = true
	keepsCPU       = true
	keepsProcesses = true
	keepsFiles     = false
	keepsNice      = true
	keepsCgroup    = false

	leastProcesses = 1
)

// system is what keeps limits on Windows: a job of their own, around the one that family may make.
// What the process starts is in it, too, and outlives it.
type system struct {
	job windows.Handle // 0: there is none
}

func (*system) undo()       {}
func (*system) held() int64 { return 0 }

func (s *system) close() {
	if s.job != 0 {
		windows.CloseHandle(s.job)
		s.job = 0
	}
}

// watches reports whether memory is looked at from here: the job keeps it.
func (g *Guard) watches() bool { return false }

func (g *Guard) prepare(*exec.Cmd) error {
	limits := g.cfg.job()
	if limits.BasicLimitInformation.LimitFlags == 0 {
		return nil
	}
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("procspawn: Options.Limits: %w", os.NewSyscallError("CreateJobObject", err))
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		windows.CloseHandle(job)
		return fmt.Errorf("procspawn: Options.Limits: %w", os.NewSyscallError("SetInformationJobObject", err))
	}
	g.system.job = job
	return nil
}

// job returns what a job is told of the limits.
func (c *Config) job() (limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION) {
	basic := &limits.BasicLimitInformation
	if c.Memory != 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_JOB_MEMORY
		limits.JobMemoryLimit = uintptr(min(uint64(c.Memory), uint64(^uintptr(0))))
	}
	if c.CPU != 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_PROCESS_TIME
		basic.PerProcessUserTimeLimit = int64(c.CPU / (100 * time.Nanosecond))
	}
	if c.Processes != 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
		basic.ActiveProcessLimit = uint32(min(uint64(c.Processes), uint64(^uint32(0))))
	}
	if c.Nice != 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_PRIORITY_CLASS
		basic.PriorityClass = priorityClass(c.Nice)
	}
	return limits
}

func priorityClass(nice int) uint32 {
	switch {
	case nice >= 10:
		return windows.IDLE_PRIORITY_CLASS
	case nice > 0:
		return windows.BELOW_NORMAL_PRIORITY_CLASS
	case nice <= -10:
		return windows.HIGH_PRIORITY_CLASS
	}
	return windows.ABOVE_NORMAL_PRIORITY_CLASS
}

// AtStart returns what is to be called when the process has been started and has not executed an
// instruction; nil if nothing is.
func (g *Guard) AtStart() func(pid int) error {
	if g.system.job == 0 {
		return nil
	}
	return func(pid int) error {
		process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
		if err != nil {
			return fmt.Errorf("procspawn: Options.Limits: %w", os.NewSyscallError("OpenProcess", err))
		}
		defer windows.CloseHandle(process)
		if err := windows.AssignProcessToJobObject(g.system.job, process); err != nil {
			return fmt.Errorf("procspawn: Options.Limits: %w", os.NewSyscallError("AssignProcessToJobObject", err))
		}
		return nil
	}
}

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type accounting struct {
	userTime, kernelTime, periodUserTime, periodKernelTime int64
	pageFaults, processes, active, terminated              uint32
}

// judge says which limit the system has ended the process for. It ends one for CPU time alone, and
// counts that; the exit code is that which it gives then.
func (s *system) judge(c *Config, o *Outcome) Reached {
	if s.job == 0 || c.CPU == 0 || o.Stopped || uint32(o.Code) != uint32(windows.ERROR_NOT_ENOUGH_QUOTA) {
		return Reached{}
	}
	var info accounting
	err := windows.QueryInformationJobObject(s.job, windows.JobObjectBasicAccountingInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return Reached{CPU, err == nil && info.terminated > 0, "the system has ended it with the status for that"}
}
