// Package lifeline ends processes when the one that has started them is gone, however it ended. All
// of them have the same standard input, a pipe whose other end the first one holds, and to which it
// never writes. (A child of viaduct needs none: the end of its link is the end of it.)
package lifeline

import (
	"io"
	"os"
	"sync"
)

// kept are files that must not be collected, which would close them: the end of the pipe that ends
// all others, and the standard input that this process had before.
var kept []*os.File

// Hold makes the pipe. Its end is standard input from now on, for children to inherit.
func Hold() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	kept = append(kept, os.Stdin, w)
	os.Stdin = r
	return nil
}

// Watch has this process exit when the holder is gone. Calls beyond the first do nothing.
func Watch() { watch() }

var watch = sync.OnceFunc(func() {
	stdin := input()
	go func() {
		io.Copy(io.Discard, stdin)
		os.Exit(0)
	}()
})
