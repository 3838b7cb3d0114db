//go:build !race

package rpcpipe_test

import "time"

const raceEnabled = false

// slack is how long what takes d, on a machine that has nothing else to do, may take.
func slack(d time.Duration) time.Duration { return 2 * d }
