package procspawn

import (
	"bytes"
	"os"
	"sync"
)

// drain empties a stream of the child, whatever becomes of the writer.
type drain struct {
	r    *os.File
	out  *outlet // nil: nobody
	keep []keeper
	done chan struct{} // closed by run
	late lateReader    // owned by run
}

// keeper keeps a part of a stream. It does not keep p.
type keeper interface{ add(p []byte) }

const (
	minDrain = 512 // most children print little, if anything
	maxDrain = 32 << 10
)

func (d *drain) run() {
	defer close(d.done)
	defer d.r.Close()
	if d.out != nil {
		defer d.out.end()
	}
	buf := make([]byte, minDrain)
	for {
		n, err := readPipe(d.r, buf)
		if os.IsTimeout(err) {
			n, err = d.late.read(d.r, buf, err)
		}
		for _, k := range d.keep {
			k.add(buf[:n])
		}
		if n > 0 && d.out != nil {
			d.out.put(buf[:n])
		}
		if err != nil {
			return
		}
		if n == len(buf) && n < maxDrain {
			buf = make([]byte, maxDrain)
		}
	}
}

// tailSize is how much of what a child prints is kept.
const tailSize = 64 << 10

// tail keeps the end of a stream.
type tail struct {
	mu  sync.Mutex
	buf []byte // at most 2 * tailSize, so that moving is rare
}

func (t *tail) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf)+len(p) > 2*tailSize {
		keep := max(0, tailSize-len(p))
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-min(keep, len(t.buf)):]...)
	}
	t.buf = append(t.buf, p[max(0, len(p)-tailSize):]...)
}

// bytes returns a copy of what was kept, and whether there is a tail at all.
func (t *tail) bytes() ([]byte, bool) {
	if t == nil {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf[max(0, len(t.buf)-tailSize):]), true
}
