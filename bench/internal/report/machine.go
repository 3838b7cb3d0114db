package report

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
)

// Machine is where it was measured.
type Machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Go         string `json:"go"`
}

// ThisMachine returns the one that this program runs on.
func ThisMachine() Machine {
	return Machine{cpu(), runtime.NumCPU(), system(), runtime.GOARCH, runtime.Version()}
}

func (m Machine) String() string {
	text := fmt.Sprintf("%d processors, %s, %s, %s", m.Processors, m.OS, m.Arch, m.Go)
	if m.CPU != "" {
		return m.CPU + ", " + text
	}
	return text
}

// Short is what fits below a picture.
func (m Machine) Short() string {
	if m.CPU == "" {
		return fmt.Sprintf("%s/%s, %d processors, %s", m.OS, m.Arch, m.Processors, m.Go)
	}
	return fmt.Sprintf("%s, %d processors, %s", m.CPU, m.Processors, m.Go)
}

// cpu returns the processor's name where a file tells it.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	virtual := ""
	name := ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags":
			if strings.Contains(value+" ", " hypervisor ") {
				virtual = " (virtual machine)"
			}
		}
	}
	return name + virtual
}

// system returns the system's name and, where a file tells it, version.
func system() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-") // what follows is of one build
	return runtime.GOOS + " " + version
}

// Versions returns those of the contenders' modules.
func Versions() map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, c := range contender.All {
		for _, m := range info.Deps {
			if m.Path == c.Module {
				versions[m.Path] = m.Version
			}
		}
	}
	return versions
}
