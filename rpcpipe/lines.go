package rpcpipe

import (
	"io"
	"sync"
)

// lines hands what is printed on to a writer, line by line.
type lines struct {
	w      io.Writer
	prefix string
	one    *sync.Mutex // held while w is written to, shared by all children

	mu   sync.Mutex // guards what follows
	part []byte     // of a line that has not ended
}

// maxLine is how much of a line is kept until its end comes.
const maxLine = 64 << 10

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range p {
		l.part = append(l.part, b)
		if b == '\n' || len(l.part) >= maxLine {
			if err := l.flushLocked(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// end writes what has come last, of which no end came.
func (l *lines) end() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.flushLocked()
	}
}

func (l *lines) flushLocked() error {
	line := l.prefix + string(l.part)
	if line[len(line)-1] != '\n' {
		line += "\n"
	}
	l.part = l.part[:0]
	l.one.Lock()
	defer l.one.Unlock()
	_, err := io.WriteString(l.w, line)
	return err
}
