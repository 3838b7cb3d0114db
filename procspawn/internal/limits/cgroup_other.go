//go:build !linux

package limits

import "os"

// Cgroup returns nil: there are no control groups here.
func (*Guard) Cgroup() *os.File { return nil }
