//go:build !race

package procspawn

import (
	"os"
	"testing"
	"time"
)

// slack is how long d may take.
func slack(d time.Duration) time.Duration { return d }

const raceDetector = false

// manyChildren is how many are started at the same time.
const manyChildren = 100

// crashEnviron is the environment of a child that crashes.
func crashEnviron(*testing.T) []string { return os.Environ() }
