package duplex

import (
	"io"
	"sync"
)

// firstWindow is what a stream may send before some of it has been read, in
// bytes. The window doubles, up to Options.StreamWindow, each time the other
// side has used nearly all of it while this side reads.
const firstWindow = 64 << 10

// inStream is the receiving half of a stream.
type inStream struct {
	more chan struct{} // one slot: something of what follows has changed

	mu     sync.Mutex // guards what follows
	chunks chunks     // what has come and nobody has read
	left   int64      // credit of the other side
	window int64      // what left grows to again as this side reads
	limit  int64      // of window
	taken  int64      // read since credit was last given
	ended  bool       // the other side has sent its end
	closed bool       // nobody reads here any more: what comes is dropped
	err    error      // what Read returns once chunks is empty
}

func (in *inStream) signal() {
	select {
	case in.more <- struct{}{}:
	default:
	}
}

// open lets the other side send a window, which it returns.
func (in *inStream) open() uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.left = in.window
	return uint32(in.window)
}

// arrive counts n bytes in that are about to come. The reader calls it.
func (in *inStream) arrive(n int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return protocolErrorf("data behind the end of a stream")
	}
	if int64(n) > in.left {
		return protocolErrorf("data of %d bytes beyond the credit of a stream, of which %d are left", n, in.left)
	}
	in.left -= int64(n)
	return nil
}

// add takes bytes that have come: a copy of b, or, if whole, b itself, which comes from newChunk.
func (in *inStream) add(b []byte, whole bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.closed && whole:
		freeChunk(b)
	case in.closed:
	case whole:
		in.chunks.push(b)
	default:
		in.chunks.add(b)
	}
	in.signal()
}

// end says that no more comes. It reports false if that was said before.
func (in *inStream) end() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return false
	}
	in.ended = true
	if in.err == nil {
		in.err = io.EOF
	}
	in.signal()
	return true
}

// fail has Read return err: behind what has come, or at once.
func (in *inStream) fail(err error, atOnce bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if atOnce {
		in.chunks.clear()
		in.closed = true
	}
	if in.err == nil || atOnce {
		in.err = err
	}
	in.signal()
}

// close drops what has come and will. It reports whether the other side is to be told
// to stop.
func (in *inStream) close(err error) (tell bool) {
	in.fail(err, true)
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.ended
}

// take moves what has come to p. If there is nothing and no error, the caller
// waits for more. grant is what the other side may send now.
func (in *inStream) take(p []byte) (n int, grant int64, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if n = in.chunks.take(p); n == 0 {
		return 0, 0, in.err
	}
	in.taken += int64(n)
	if in.err != nil || in.taken < in.window/2 {
		return n, 0, nil
	}
	grant, in.taken = in.taken, 0
	if in.left < in.window/4 && in.window < in.limit {
		// The other side waits for credit, or is about to, while this one reads.
		grown := min(2*in.window, in.limit)
		grant += grown - in.window
		in.window = grown
	}
	in.left += grant
	return n, grant, nil
}
