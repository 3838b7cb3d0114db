package mixed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMixedProcessors has parents and children of different word sizes and byte orders: those that are
// not of this processor run under qemu-user, started by a script, as their files cannot be executed.
func TestMixedProcessors(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the emulators are those of linux/amd64")
	}
	here := buildToday(t)
	for _, processor := range []struct{ goarch, emulator string }{
		{"386", ""}, {"arm", "qemu-arm-static"}, {"arm64", "qemu-aarch64-static"}, {"s390x", "qemu-s390x-static"},
	} {
		t.Run(processor.goarch, func(t *testing.T) {
			if _, err := exec.LookPath(processor.emulator); processor.emulator != "" && err != nil {
				if os.Getenv("VIADUCT_MUST_RUN") != "" {
					t.Fatalf("%v: install qemu-user-static", err)
				}
				t.Skip("there is no " + processor.emulator)
			}
			other := buildFor(t, processor.goarch)
			if processor.emulator != "" {
				script := filepath.Join(t.TempDir(), "peer.sh")
				text := fmt.Sprintf("#!/bin/sh\nexec %s '%s' \"$@\"\n", processor.emulator, other)
				require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
				other = script
			}
			t.Run("child", func(t *testing.T) { runPeers(t, here, other, "shutdown", "2") })
			if processor.emulator != "" {
				return // the emulated one is the child only
			}
			t.Run("parent", func(t *testing.T) { runPeers(t, other, here, "close", "2") })
		})
	}
}

func buildFor(t *testing.T, goarch string) string {
	t.Setenv("GOARCH", goarch)
	t.Setenv("CGO_ENABLED", "0")
	return buildToday(t)
}
