package procspawn

import (
	"bytes"
	"regexp"
	"sync"
)

// crashSize is how much of a crash is kept: its beginning, which names the
// fault and shows the goroutine that met it.
const crashSize = 1 << 20

// crashCode is the exit status of a Go program that has crashed, unless GOTRACEBACK has it end by a signal.
const crashCode = 2

// head keeps the beginning of a stream.
type head struct {
	mu  sync.Mutex
	buf []byte // at most crashSize
}

func (h *head) add(p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = append(h.buf, p[:min(len(p), crashSize-len(h.buf))]...)
}

func (h *head) bytes() []byte {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.buf)
}

// crashScan keeps of a program's stderr what comes from the last line on by which
// the Go runtime may have begun to say why the program ends. Of fatal errors that line goes nowhere
// else, and the stacks behind it can be longer than the end of stderr that is kept.
type crashScan struct {
	mu    sync.Mutex
	text  []byte // at most crashSize
	group []byte // lines that begin with "runtime: ", which may belong to what follows
	line  []byte // the current one
}

const (
	maxScanLine  = 64 << 10
	maxScanGroup = 4 << 10
)

func (c *crashScan) add(p []byte) {
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

// crash returns the whole of a crash of which out came through the crash pipe, without
// the lines that name a fatal error. If nothing did, it is what was found in stderr, provided that
// the program has ended like one that crashes, and that there are stacks.
func crash(out, found []byte, crashed bool) []byte {
	switch {
	case len(out) > 0 && out[0] == '\n':
		return append(crashHead(found), out...)
	case len(out) > 0:
		return out
	case crashed && bytes.Contains(found, []byte("\ngoroutine ")):
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

// namesCrash reports whether the Go runtime begins so to say why a program ends.
func namesCrash(line []byte) bool { return crashLine.Match(line) }

var crashLine = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z0-9]+): `)

// faultOf returns the line that names the fault of a crash: the last one before the stacks, as a
// panic may have met another.
func faultOf(crash []byte) string {
	fault := []byte(nil)
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
