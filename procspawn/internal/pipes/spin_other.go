//go:build !unix

package pipes

import "os"

// spinReader never spins: here no read returns without waiting.
type spinReader struct{}

func (*spinReader) read(*os.File, []byte) int { return 0 }
func (*spinReader) TryLock() bool             { return true }
func (*spinReader) Unlock()                   {}
func (*spinReader) over()                     {}
