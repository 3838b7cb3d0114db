package procspawn

import (
	"bytes"
	"sync"
)

// crashSize is how much of a crash is kept: its beginning, which names the
// fault and shows the goroutine that met it.
const crashSize = 1 << 20

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

// faultLines picks out of a program's stderr the lines by which the Go runtime
// names a fatal error. Unlike those of a panic they go nowhere else, and all
// the stacks come behind them, so that the end of stderr need not hold them.
type faultLines struct {
	mu    sync.Mutex
	lines [][]byte // of the last fault: those that begin with "runtime: ", then "fatal error: "
	whole bool     // lines ends with the latter
	line  []byte   // the beginning of the current one
}

const (
	maxFaultLine  = 300
	maxFaultLines = 8
)

func (f *faultLines) add(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		part := p
		if n >= 0 {
			part, p = p[:n], p[n+1:]
		} else {
			p = nil
		}
		f.line = append(f.line, part[:min(len(part), maxFaultLine-len(f.line))]...)
		if n >= 0 {
			f.endLocked()
		}
	}
}

// endLocked looks at a line that is complete.
func (f *faultLines) endLocked() {
	fatal := bytes.HasPrefix(f.line, []byte("fatal error: "))
	if fatal || bytes.HasPrefix(f.line, []byte("runtime: ")) {
		if f.whole || len(f.lines) == maxFaultLines {
			f.lines, f.whole = nil, false
		}
		f.lines = append(f.lines, bytes.Clone(f.line))
		f.whole = fatal
	} else if !f.whole {
		f.lines = nil // the runtime has said something else than why it ends
	}
	f.line = f.line[:0]
}

// last returns the lines that name the last fault, nil if there was none.
func (f *faultLines) last() []byte {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole {
		return nil
	}
	return append(bytes.Join(f.lines, []byte("\n")), '\n')
}

// crash returns the whole of a crash of which out came through the crash pipe, without
// the lines that name a fatal error. Without that pipe it looks for it in the end of stderr.
func crash(out, faults, stderr []byte) []byte {
	switch {
	case len(out) == 0:
		return crashIn(stderr)
	case out[0] != '\n':
		return out
	}
	return append(faults, out...)
}

// crashIn returns what stderr holds from the lines on by which the Go runtime
// names a crash, nil if there are none with stacks behind them.
func crashIn(stderr []byte) []byte {
	const none = -1
	begin, group, at := none, none, 0
	for line := range bytes.Lines(stderr) {
		switch {
		case namesCrash(line):
			if begin = at; group != none {
				begin = group
			}
			group = none
		case bytes.HasPrefix(line, []byte("runtime: ")):
			if group == none {
				group = at
			}
		case begin != none && bytes.HasPrefix(line, []byte("goroutine ")):
			return stderr[begin:]
		default:
			group = none
		}
		at += len(line)
	}
	return nil
}

// namesCrash reports whether the Go runtime begins so to say why a program ends.
func namesCrash(line []byte) bool {
	return bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) || bytes.HasPrefix(line, []byte("SIG"))
}

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
