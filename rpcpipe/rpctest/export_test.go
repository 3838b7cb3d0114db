package rpctest

import "time"

// SetLeakTime changes how long NoneLeft waits, and returns what it was.
func SetLeakTime(d time.Duration) (was time.Duration) {
	was, leakTime = leakTime, d
	return was
}
