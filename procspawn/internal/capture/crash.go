package capture

import (
	"bytes"
	"regexp"
	"sync"
)

// crashSize is how many bytes of a crash are kept: its beginning, which names the fault and shows
// the goroutine that met it. A head (keepers.go) and crashScan cut by it.
const crashSize = 1 << 20

// crashCode is the exit status of a Go program that has crashed, unless GOTRACEBACK has it end by a
// signal.
const crashCode = 2

// crashScan looks for a crash in a program's stderr. It keeps what follows the last line that may
// be the beginning of one, that line included. The runtime prints the line that names a fatal error
// to stderr alone, and the stacks behind it can be longer than a Tail.
type crashScan struct {
	mu    sync.Mutex
	text  []byte // at most crashSize
	group []byte // the last lines, if they begin with "runtime: ": a crash may follow
	line  []byte // the current one, cut at maxScanLine
}

const (
	maxScanLine  = 64 << 10
	maxScanGroup = 4 << 10
)

func (c *crashScan) Add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range bytes.Lines(p) {
		c.line = append(c.line, line[:min(len(line), maxScanLine-len(c.line))]...)
		if line[len(line)-1] == '\n' {
			c.endLocked()
		}
	}
}

// endLocked looks at a line that is complete.
func (c *crashScan) endLocked() {
	switch {
	case namesCrash(c.line):
		c.text = append(append(c.text[:0], c.group...), c.line...)
		c.group = nil
	case bytes.HasPrefix(c.line, []byte("runtime: ")) && len(c.group)+len(c.line) <= maxScanGroup:
		c.group = append(c.group, c.line...)
		c.keepLocked()
	default:
		c.group = nil
		c.keepLocked()
	}
	c.line = c.line[:0]
}

func (c *crashScan) keepLocked() {
	if len(c.text) > 0 {
		c.text = append(c.text, c.line[:min(len(c.line), crashSize-len(c.text))]...)
	}
}

func (c *crashScan) bytes() []byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.text) == 0 {
		return nil
	}
	return append(bytes.Clone(c.text), c.line[:min(len(c.line), crashSize-len(c.text))]...)
}

// wholeCrash puts a crash together. If something came through the crash pipe, out, that is the
// crash; it begins with an empty line if it lacks those that name a fatal error, which were then
// found in stderr. If nothing came, the crash is what was found in stderr, provided that the
// program has ended like one that crashes and that there are stacks. The runtime's own stack is all
// there is of a crash before the first goroutine runs, when memory is too short to begin, say.
func wholeCrash(out, found []byte, crashed bool) []byte {
	switch {
	case len(out) > 0 && out[0] == '\n':
		return append(crashHead(found), out...)
	case len(out) > 0:
		return out
	case crashed && (bytes.Contains(found, []byte("\ngoroutine ")) || bytes.Contains(found, []byte("\nruntime stack:\n"))):
		return found
	}
	return nil
}

// crashHead returns the lines of a crash that name it.
func crashHead(found []byte) []byte {
	n := 0
	for line := range bytes.Lines(found) {
		n += len(line)
		if namesCrash(line) {
			return bytes.Clone(found[:n])
		}
	}
	return nil
}

// namesCrash reports whether a line is one by which the Go runtime begins to say why a program
// ends.
func namesCrash(line []byte) bool { return crashLine.Match(line) }

var crashLine = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z0-9]+): `)

// Fault returns the line that names the fault of a crash, fit to be shown: the last such line
// before the stacks, as one panic may have led to another.
func Fault(crash []byte) string {
	var fault []byte
	for line := range bytes.Lines(crash) {
		if bytes.HasPrefix(line, []byte("goroutine ")) {
			break
		}
		if line = bytes.TrimSpace(line); namesCrash(line) {
			fault = line
		}
	}
	return shorten(string(fault))
}
