//go:build race

package procspawn

import "time"

// slack is how long d may take: the race detector is slow to start and exit.
func slack(d time.Duration) time.Duration { return 2 * d }

// manyChildren is how many are started at the same time: the race detector makes each ten times as dear.
const manyChildren = 40
