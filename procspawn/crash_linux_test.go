package procspawn

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCrashBeforeMain: a child that has too little memory for its runtime to begin has crashed, and
// the error says so.
func TestCrashBeforeMain(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector gives up before the runtime does")
	}
	if strconv.IntSize == 32 {
		t.Skip("a runtime of 32 bits needs so little that it begins")
	}
	for _, limit := range []string{"100000", "300000"} {
		t.Run(limit, func(t *testing.T) {
			noLeaks(t)
			self := selfCmd("echo")
			cmd := exec.Command("sh", append([]string{"-c", `ulimit -v "$0"; exec "$@"`, limit, self.Path, Here}, self.Args[1:]...)...)
			_, err := Start(t.Context(), cmd, nil)
			var exit *Exit
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, 2, exit.Code)
			assert.Contains(t, string(exit.Crash), "\nruntime stack:\n")
			assert.Contains(t, err.Error(), "; crash: fatal error: ")
		})
	}
}
