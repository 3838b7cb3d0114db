//go:build unix || windows

package pipes

import (
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// linked returns the two sides of a link in one process.
func linked(t *testing.T) (child, parent *Conn) {
	t.Helper()
	parent, r, w, err := New()
	require.NoError(t, err)
	child, err = Inherited(fileOf(r), fileOf(w))
	require.NoError(t, err)
	t.Cleanup(func() { parent.Close(); child.Close() })
	return child, parent
}

// TestSwapped: ends that are open in the other direction are refused by name.
func TestSwapped(t *testing.T) {
	_, r, w, err := New()
	require.NoError(t, err)
	in, out := fileOf(r), fileOf(w)
	defer in.Close()
	defer out.Close()
	_, err = Inherited(out, in)
	assert.ErrorContains(t, err, "(the link's read end) is a pipe that is not open to read: were the two")
	_, err = Inherited(in, in)
	assert.ErrorContains(t, err, "(the link's write end) is a pipe that is not open to write")
}

// TestUnwatch: what has come during the watch is read by who comes then.
func TestUnwatch(t *testing.T) {
	child, parent := linked(t)
	_, err := parent.Write([]byte("early"))
	require.NoError(t, err)
	child.Watch(func() { t.Error("the other end is open") })
	child.Unwatch()
	_, err = parent.Write([]byte(" and late"))
	require.NoError(t, err)
	parent.Close()
	all, err := io.ReadAll(child)
	require.NoError(t, err)
	assert.Equal(t, "early and late", string(all))
}

// TestHungUp: it is told at once, with bytes left to read or not, and of an end that is closed.
func TestHungUp(t *testing.T) {
	if !TellsHangup {
		t.Skip("nobody can tell here")
	}
	child, parent := linked(t)
	assert.False(t, child.HungUp())
	parent.Write([]byte("left"))
	assert.False(t, child.HungUp())
	parent.Close()
	assert.True(t, child.HungUp())
	all, err := io.ReadAll(child)
	require.NoError(t, err)
	assert.Equal(t, "left", string(all))
	assert.True(t, child.HungUp())
	child.Close()
	assert.True(t, child.HungUp())
}

// TestReading: a Read and a watch are told from those before.
func TestReading(t *testing.T) {
	child, parent := linked(t)
	_, ok := child.Reading()
	assert.False(t, ok)
	child.Watch(func() {})
	watch, ok := child.Reading()
	assert.True(t, ok)
	child.Unwatch()
	_, ok = child.Reading()
	assert.False(t, ok)
	read := make(chan error, 1)
	go func() {
		_, err := child.Read(make([]byte, 1))
		read <- err
	}()
	for {
		if turn, ok := child.Reading(); ok {
			assert.Greater(t, turn, watch)
			break
		}
		runtime.Gosched()
	}
	parent.Write([]byte("x"))
	require.NoError(t, <-read)
	_, ok = child.Reading()
	assert.False(t, ok)
}

func TestWatch(t *testing.T) {
	child, parent := linked(t)
	gone := make(chan struct{})
	child.Watch(func() { close(gone) })
	parent.Write([]byte("hello"))
	select {
	case <-gone:
		t.Error("before the end")
	case <-time.After(10 * time.Millisecond):
	}
	parent.Close()
	<-gone
	child.Unwatch()
	all, err := io.ReadAll(child)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(all))
}

// TestCloseEndsWatch: it is not the end of the other side.
func TestCloseEndsWatch(t *testing.T) {
	child, _ := linked(t)
	child.Watch(func() { t.Error("the other end is open") })
	child.Close()
	<-child.watch
}

// TestExpire: past the deadline what lies in the pipe is read, and nothing waited for.
func TestExpire(t *testing.T) {
	child, parent := linked(t)
	child.Write([]byte("left behind"))
	parent.Expire(time.Now().Add(-time.Second))
	buf := make([]byte, 4)
	n, err := parent.Read(buf)
	assert.NoError(t, err)
	assert.Equal(t, "left", string(buf[:n]))
	rest := make([]byte, 100)
	n, err = parent.Read(rest)
	assert.NoError(t, err)
	assert.Equal(t, " behind", string(rest[:n]))
	_, err = parent.Read(rest)
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = parent.Write(make([]byte, 1<<20))
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	child.Close()
	_, err = parent.Read(rest)
	assert.Equal(t, io.EOF, err)
}

// TestLateIsBounded: who goes on writing cannot make reading past the deadline go on for ever.
func TestLateIsBounded(t *testing.T) {
	child, parent := linked(t)
	parent.Expire(time.Now().Add(-time.Second))
	buf := make([]byte, 32<<10)
	total := 0
	for total < MaxCapacity {
		child.Write(buf)
		n, err := parent.Read(buf)
		require.NoError(t, err)
		total += n
	}
	child.Write(buf[:1])
	_, err := parent.Read(buf)
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Less(t, total, MaxCapacity+len(buf))
}

// TestEmptyWrite: it is not the end.
func TestEmptyWrite(t *testing.T) {
	child, parent := linked(t)
	read := make(chan string)
	go func() {
		all, _ := io.ReadAll(parent)
		read <- string(all)
	}()
	for _, text := range []string{"", "one", "", "", "two", ""} {
		_, err := child.w.Write([]byte(text))
		require.NoError(t, err)
	}
	child.Close()
	assert.Equal(t, "onetwo", <-read)
}

// TestCloseReleases: Close releases who reads and who writes.
func TestCloseReleases(t *testing.T) {
	_, parent := linked(t)
	errs := make(chan error, 2)
	go func() {
		_, err := parent.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		_, err := parent.Write(make([]byte, 4<<20))
		errs <- err
	}()
	assert.NoError(t, parent.Close())
	assert.Error(t, <-errs)
	assert.Error(t, <-errs)
}

// TestCloseSynchronous: Close releases who reads a pipe of package os, whenever that began. On
// Windows both its ends are synchronous.
func TestCloseSynchronous(t *testing.T) {
	for range 50 {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		read := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			read <- err
		}()
		assert.NoError(t, closePipe(r))
		assert.Error(t, <-read)
		w.Close()
	}
}

func TestWriteNow(t *testing.T) {
	child, parent := linked(t)
	n, err := parent.WriteNow([]byte("x"))
	if err == ErrNoWriteNow {
		assert.Zero(t, n)
		t.Skip(err)
	}
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	total := 1
	buf := make([]byte, 48<<10)
	for n = 1; n > 0; total += n { // until the pipe is full
		n, err = parent.WriteNow(buf)
		require.NoError(t, err)
	}
	parent.writing.Lock()
	n, err = parent.WriteNow(buf)
	parent.writing.Unlock()
	assert.NoError(t, err)
	assert.Zero(t, n, "beside a Write")
	parent.w.Close()
	all, err := io.ReadAll(child)
	require.NoError(t, err)
	assert.Len(t, all, total)
	child.Close()
	_, err = parent.WriteNow(buf)
	assert.Error(t, err)
}

// TestIsBroken: the other end of the pipe is closed.
func TestIsBroken(t *testing.T) {
	child, parent := linked(t)
	child.Close()
	_, err := parent.Write([]byte("x"))
	assert.True(t, IsBroken(err), "%v", err)
	assert.False(t, IsBroken(os.ErrClosed))
}
