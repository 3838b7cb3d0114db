//go:build !unix

package lifeline

import "os"

func input() *os.File { return os.Stdin }
