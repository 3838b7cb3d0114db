package pipes

import "os"

// fileOf is what a child makes of an end that it has inherited.
func fileOf(end ChildEnd) *os.File { return os.NewFile(uintptr(end), "pipe") }
