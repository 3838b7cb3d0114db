//go:build race

package procspawn

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// slack is how long d may take: the race detector is slow to start and exit.
func slack(d time.Duration) time.Duration { return 2 * d }

const raceDetector = true

// manyChildren is how many are started at the same time: the race detector makes each ten times as
// dear.
const manyChildren = 40

// crashEnviron is the environment of a child that crashes. What the race detector has to say goes
// to a file: of concurrent map writes it speaks at the same time as the runtime, and in the middle
// of its line.
func crashEnviron(t *testing.T) []string {
	log := filepath.Join(t.TempDir(), "races")
	return append(os.Environ(), fmt.Sprintf("GORACE=%s log_path=%s", os.Getenv("GORACE"), log))
}
