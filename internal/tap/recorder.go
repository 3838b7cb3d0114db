package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Config says what a Recorder records, and where.
type Config struct {
	File     string // that is made for it; empty: the latest records are kept in memory
	Contents bool   // whole messages and the bytes of streams, not only what names them
	MaxBytes int64  // of the file, which ends there, or of the memory; 0: the default
}

// Defaults and the least of Config.MaxBytes.
const (
	DefaultFile   = 1 << 30
	DefaultMemory = 4 << 20
	LeastBytes    = 64 << 10
)

// closeTime bounds how long the end of a link waits for the file to have what was recorded of it.
const closeTime = time.Second

// A Recorder records links. Its methods may be called from any goroutine.
type Recorder struct {
	config  Config
	blocked time.Duration // blockedTime; set by New

	mu    sync.Mutex // guards what follows; not held while a file is written
	begin time.Time  // zero: nothing was recorded
	users int        // links, and those that are about to be
	links uint32     // that have begun
	ring  ring       // without a file
	file  file       // with one
}

// New returns a Recorder. Nothing is made yet, a file neither.
func New(c Config) *Recorder {
	r := &Recorder{config: c, blocked: blockedTime}
	if r.config.MaxBytes == 0 {
		r.config.MaxBytes = DefaultMemory
		if c.File != "" {
			r.config.MaxBytes = DefaultFile
		}
	}
	r.ring.max = r.config.MaxBytes
	r.file = file{name: c.File, max: r.config.MaxBytes, wake: make(chan struct{}, 1)}
	return r
}

// Use prepares the recording of a link: the file is there when it has returned. warn is told, once and
// not by a goroutine of the link, if the recording ends early. The error names the file.
func (r *Recorder) Use(warn func(text string, args ...any)) (*Use, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	begin := r.begin
	if begin.IsZero() {
		begin = time.Now()
	}
	if r.config.File != "" {
		if r.users == 0 {
			if err := r.file.open(appendHeader(nil, r.config.Contents, begin)); err != nil {
				return nil, err
			}
		}
		r.file.warn = warn
		if !r.file.running {
			r.file.running = true
			go r.write()
		}
	}
	r.begin = begin
	r.users++
	return &Use{r: r}, nil
}

// record records something, or counts it as lost. mu is held.
func (r *Recorder) record(rec record, parts ...[]byte) {
	if r.config.File == "" {
		r.ring.append(rec, parts...)
		return
	}
	r.file.append(rec, parts...)
}

// now is the time of a record. mu is held, so that records are in the order of their times.
func (r *Recorder) now() time.Duration { return time.Since(r.begin) }

// release is for one user less. It waits until the file has all that was recorded, for a while.
func (r *Recorder) release() {
	r.mu.Lock()
	r.users--
	if r.config.File == "" {
		r.mu.Unlock()
		return
	}
	f := &r.file
	f.signal()
	upTo, timeout := f.appended, time.NewTimer(closeTime)
	defer timeout.Stop()
	for f.running && (f.written < upTo || r.users == 0) {
		if f.progress == nil {
			f.progress = make(chan struct{})
		}
		progress := f.progress
		r.mu.Unlock()
		select {
		case <-progress:
		case <-timeout.C:
			return
		}
		r.mu.Lock()
	}
	r.mu.Unlock()
}

// errFile is what WriteTo of a Recorder with a file returns.
var errFile = errors.New("this tap writes to its file: what is in memory alone can be written elsewhere")

// WriteTo writes a file of what is kept in memory.
func (r *Recorder) WriteTo(w io.Writer) (int64, error) {
	if r.config.File != "" {
		return 0, fmt.Errorf("tap: %s: %w", r.config.File, errFile)
	}
	r.mu.Lock()
	begin := r.begin
	if begin.IsZero() {
		begin = time.Now()
	}
	parts := r.ring.snapshot(r.config.Contents, begin)
	parts = slices.Clone(parts)
	r.mu.Unlock()
	var written int64
	for _, part := range parts {
		n, err := w.Write(part)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Save is WriteTo of a file that is not there yet, which nobody else may read.
func (r *Recorder) Save(name string) error {
	f, err := create(name)
	if err != nil {
		return err
	}
	if _, err = r.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("tap: %s: %w", name, err)
	}
	return f.Close()
}

// write is the goroutine that writes the file, while there are users or something is left.
func (r *Recorder) write() {
	f := &r.file
	var done []byte
	r.mu.Lock()
	warn, text := f.ended(nil) // it cannot be written from the beginning
	failed := f.failed
	r.mu.Unlock()
	if warn != nil && text != "" {
		warn(text, "file", f.name, "error", f.reason(failed))
	}
	for {
		r.mu.Lock()
		f.wrote(done)
		for len(f.buffer) == 0 && r.users > 0 {
			r.mu.Unlock()
			<-f.wake
			r.mu.Lock()
		}
		if len(f.buffer) == 0 {
			f.opened.Close() // no link waits for mu: there is none
			f.opened, f.running = nil, false
			f.tell()
			r.mu.Unlock()
			return
		}
		done = f.take()
		opened, failed := f.opened, f.failed
		r.mu.Unlock()
		if failed != nil {
			continue
		}
		_, err := opened.Write(done)
		r.mu.Lock()
		warn, text := f.ended(err)
		r.mu.Unlock()
		if warn != nil && text != "" {
			warn(text, "file", f.name, "error", f.reason(err))
		}
	}
}

// appendUint64 is for the rests of records that are a number.
func appendUint64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
