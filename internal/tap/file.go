package tap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// bufferSize is how much waits for the file at most. What finds no room then is lost, and counted: a
// link does not wait for a disk.
const bufferSize = 4 << 20

// file is what a Recorder writes to. Guarded by the Recorder's mu, but for name, max and wake, which
// do not change.
type file struct {
	name string
	max  int64
	wake chan struct{} // one slot: something is to be written, or there are fewer users

	made     os.FileInfo // the file that open has made
	opened   *os.File    // owned by the goroutine that writes, while it is running
	running  bool        // that goroutine is
	warn     func(text string, args ...any)
	buffer   []byte        // records to be written
	spare    []byte        // the buffer before, to be used again
	lost     uint64        // records since the latest that is in buffer
	size     int64         // of the file, with what is in buffer
	full     bool          // nothing more is appended
	told     bool          // warn was told of that, or of failed
	failed   error         // of a write: nothing more is written
	appended uint64        // bytes, ever
	written  uint64        // of these
	progress chan struct{} // closed when written has grown, or the goroutine has ended; nil if nobody waits
}

// create makes a file that nobody else may read, and that was not there.
func create(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("tap: %s is there already, and is not written over: another name was expected, or, with %%p in it, one for each process: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	return f, nil
}

// open makes the file, and begins it with a header; or, if it has made it before, opens it again.
// While the goroutine still runs it has the file.
func (f *file) open(header []byte) error {
	switch {
	case f.running:
		return nil
	case f.failed != nil: // the recording has ended, for links to come, too
		return nil
	case f.made != nil:
		f.failed = f.reopen() // warn is told: links go on
		return nil
	}
	opened, err := create(f.name)
	if err != nil {
		return err
	}
	made, err := opened.Stat()
	if err == nil {
		_, err = opened.Write(header)
	}
	if err != nil {
		opened.Close()
		os.Remove(f.name) // it is ours, and would be in the way of the next attempt
		return fmt.Errorf("tap: %w", err)
	}
	f.opened, f.made, f.size = opened, made, int64(len(header))
	return nil
}

// reopen opens the file for a further link, when all that were before have ended.
func (f *file) reopen() error {
	now, err := os.Lstat(f.name) // opening something else could wait
	if err != nil {
		return fmt.Errorf("tap: the file for this and earlier links: %w", err)
	}
	if !f.isOurs(now) {
		return f.notOurs()
	}
	opened, err := os.OpenFile(f.name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("tap: the file for this and earlier links: %w", err)
	}
	if now, err = opened.Stat(); err != nil || !f.isOurs(now) {
		opened.Close()
		return f.notOurs()
	}
	f.opened = opened
	return nil
}

// isOurs reports whether a file is the one that was made, as it was left: the system may have given
// its number to another one since.
func (f *file) isOurs(now os.FileInfo) bool {
	return os.SameFile(now, f.made) && now.Mode() == f.made.Mode() && now.Size() == f.size
}

func (f *file) notOurs() error {
	return fmt.Errorf("tap: %s is not the file any more that was made for earlier links: was it moved away?", f.name)
}

// append appends a record to the buffer, or counts it as lost.
func (f *file) append(r record, parts ...[]byte) {
	if f.full || f.failed != nil {
		return
	}
	size := minRecord
	for _, p := range parts {
		size += len(p)
	}
	const lostSize, fullSize = minRecord + 8, minRecord
	if f.size+int64(size+lostSize+fullSize) > f.max {
		f.full = true
		f.putLost(r)
		f.put(record{kind: KindFull, at: r.at})
		return
	}
	// The end of a link is one small record, which also tells what was lost before it.
	if len(f.buffer)+size+lostSize > bufferSize && r.kind != KindEnd {
		f.lost++
		return
	}
	f.putLost(r)
	f.put(r, parts...)
}

// putLost tells what was lost ahead of r.
func (f *file) putLost(r record) {
	if f.lost > 0 {
		f.put(record{kind: KindLost, at: r.at}, appendUint64(f.lost))
		f.lost = 0
	}
}

func (f *file) put(r record, parts ...[]byte) {
	before := len(f.buffer)
	f.buffer = appendRecord(f.buffer, r, parts...)
	n := len(f.buffer) - before
	f.size += int64(n)
	f.appended += uint64(n)
	f.signal()
}

func (f *file) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take takes what is to be written.
func (f *file) take() []byte {
	b := f.buffer
	f.buffer, f.spare = f.spare, nil
	return b
}

// keepBuffer is how large a buffer may be that is kept while there is nothing to write.
const keepBuffer = 64 << 10

// wrote notes that b was written, or will not be. nil: the goroutine has just begun.
func (f *file) wrote(b []byte) {
	if b == nil {
		return
	}
	f.written += uint64(len(b))
	if cap(b) <= keepBuffer {
		f.spare = b[:0]
	}
	f.tell()
}

// tell releases those who wait for progress.
func (f *file) tell() {
	if f.progress != nil {
		close(f.progress)
		f.progress = nil
	}
}

// ended notes the error of a write. It returns who is to be told that the recording has ended, and
// what; an empty text if it goes on, or they were told.
func (f *file) ended(err error) (warn func(text string, args ...any), text string) {
	if err != nil && f.failed == nil {
		f.failed = err
	}
	if f.told || f.failed == nil && !f.full {
		return nil, ""
	}
	f.told = true
	if f.failed != nil {
		return f.warn, "viaduct: a tap cannot be written any more, and has ended"
	}
	return f.warn, "viaduct: a tap has reached its MaxBytes, and has ended"
}

// reason is what is told with that.
func (f *file) reason(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%d bytes at most", f.max)
}
