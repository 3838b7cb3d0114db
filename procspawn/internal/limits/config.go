package limits

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Config has the fields of procspawn.Limits, which says what they mean.
type Config struct {
	Memory    int64
	CPU       time.Duration
	Wall      time.Duration
	Processes int
	Files     int
	FileSize  int64
	Core      int64
	Nice      int
	Cgroup    *os.File
}

const (
	leastMemory = 16 << 20 // a child of viaduct holds some 10 MiB when it begins
	leastCPU    = time.Second
	leastFiles  = 10 // standard streams, link, crash output, poller, and one or two of its own
	lowestNice  = -20
	highestNice = 19
)

// Check reports values that have no meaning, with which no Go program could begin, or which this
// system cannot keep.
func (c Config) Check() error {
	for _, f := range []struct {
		field        string
		value, least int64
	}{
		{"Memory", c.Memory, leastMemory},
		{"Processes", int64(c.Processes), leastProcesses},
		{"Files", int64(c.Files), leastFiles},
		{"FileSize", c.FileSize, 1},
	} {
		if f.value != 0 && f.value < f.least {
			return fmt.Errorf("procspawn: Options.Limits.%s is %d: at least %d was expected, what a Go program needs, or 0 for no limit", f.field, f.value, f.least)
		}
	}
	switch {
	case c.CPU != 0 && c.CPU < leastCPU:
		return fmt.Errorf("procspawn: Options.Limits.CPU is %v: at least %v was expected, or 0 for no limit", c.CPU, leastCPU)
	case c.Wall < 0:
		return fmt.Errorf("procspawn: Options.Limits.Wall is %v: more than 0 was expected, or 0 for no limit", c.Wall)
	case c.Nice < lowestNice || c.Nice > highestNice:
		return fmt.Errorf("procspawn: Options.Limits.Nice is %d: %d to %d was expected", c.Nice, lowestNice, highestNice)
	}
	return c.checkSystem()
}

// checkSystem reports a field that this system cannot keep.
func (c Config) checkSystem() error {
	for _, f := range []struct {
		field string
		set   bool
		kept  bool
	}{
		{"Memory", c.Memory != 0, keepsMemory},
		{"CPU", c.CPU != 0, keepsCPU},
		{"Processes", c.Processes != 0, keepsProcesses},
		{"Files", c.Files != 0, keepsFiles},
		{"FileSize", c.FileSize != 0, keepsFiles},
		{"Core", c.Core != 0, keepsFiles},
		{"Nice", c.Nice != 0, keepsNice},
		{"Cgroup", c.Cgroup != nil, keepsCgroup},
	} {
		if f.set && !f.kept {
			return fmt.Errorf("procspawn: Options.Limits.%s cannot be kept on %s, it must not be set there: %w", f.field, runtime.GOOS, errors.ErrUnsupported)
		}
	}
	return nil
}
