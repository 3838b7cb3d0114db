package tap

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestFull: a file ends where it may.
func TestFull(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	told := make(chan string, 2)
	r := quiet(Config{File: name, MaxBytes: LeastBytes})
	u, err := r.Use(func(text string, _ ...any) { told <- text })
	require.NoError(t, err)
	conn := u.Link(&script{}, &someInfo)
	for id := range uint32(5000) {
		_, err := conn.Write(frame(0x10, 0, request(id, "A.B", "x")...))
		require.NoError(t, err)
	}
	u.Release()
	assert.Contains(t, <-told, "has reached its MaxBytes")
	assert.Empty(t, told)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(b), LeastBytes)
	_, list, err := readAll(b)
	require.Equal(t, io.EOF, err)
	assert.Equal(t, KindFull, list[len(list)-1].Kind)
	_, err = r.WriteTo(io.Discard)
	assert.ErrorContains(t, err, "writes to its file")
}

// TestWriteFails: the link goes on, and Logger is told once.
func TestWriteFails(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	told := make(chan string, 2)
	r := quiet(Config{File: name})
	u, err := r.Use(func(text string, _ ...any) { told <- text })
	require.NoError(t, err)
	r.mu.Lock()
	r.file.opened.Close()
	r.mu.Unlock()
	conn := u.Link(&script{}, &someInfo)
	assert.Contains(t, <-told, "cannot be written any more")
	for range 100 {
		_, err := conn.Write(frame(0x20, 1))
		require.NoError(t, err)
	}
	u.Release()
	assert.Empty(t, told)
}

// TestNoRoom: a link does not wait for the file, and what is lost is counted.
func TestNoRoom(t *testing.T) {
	f := file{max: DefaultFile, wake: make(chan struct{}, 1)}
	one := make([]byte, 1<<10)
	n := 0
	for f.lost < 10 {
		f.append(record{kind: KindFrame}, one)
		n++
	}
	assert.LessOrEqual(t, len(f.buffer), bufferSize)
	f.take()
	f.append(record{kind: KindFrame}, one)
	b := append(appendHeader(nil, false, time.Now()), f.buffer...)
	_, list, err := readAll(b)
	require.Equal(t, io.EOF, err)
	require.Len(t, list, 2)
	assert.Equal(t, uint64(10), list[0].Lost)
	assert.Greater(t, n, 3000)
}

// TestFileAgain: links that come later write on, unless the file is another one.
func TestFileAgain(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	r := quiet(Config{File: name})
	for range 3 {
		play(t, r, 1<<20)
	}
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	_, list, err := readAll(b)
	require.Equal(t, io.EOF, err)
	assert.Equal(t, uint32(3), list[len(list)-1].Link)
	_, err = quiet(Config{File: name}).Use(nil)
	require.ErrorContains(t, err, name+" is there already, and is not written over")
	for what, change := range map[string]func(name string) error{
		"for this and earlier links":          func(name string) error { return os.Rename(name, name+".old") },
		"a.tap is not the file any more that": func(name string) error { return os.WriteFile(name, []byte("somebody's"), 0o600) },
	} {
		name := filepath.Join(testkit.TempDir(t), "a.tap")
		r := quiet(Config{File: name})
		play(t, r, 1<<20)
		require.NoError(t, change(name))
		told := make(chan string, 9)
		use, err := r.Use(func(text string, args ...any) { told <- fmt.Sprint(text, args) })
		require.NoError(t, err, "links go on")
		assert.Contains(t, <-told, what)
		use.Release()
		play(t, r, 1<<20)
		assert.Empty(t, told, "once")
		b, err := os.ReadFile(name)
		if err == nil {
			assert.Equal(t, "somebody's", string(b))
		}
	}
	_, err = quiet(Config{File: filepath.Join(name, "no", "such")}).Use(nil)
	require.Error(t, err)
}

func TestParseEnv(t *testing.T) {
	c, err := ParseEnv("/tmp/a-%p.tap,contents,max=100000")
	require.NoError(t, err)
	assert.NotContains(t, c.File, "%")
	assert.True(t, c.Contents)
	assert.Equal(t, int64(100000), c.MaxBytes)
	for value, want := range map[string]string{
		",contents": "no name of a file", "a,content": "contents or max=bytes was expected", "a,max=5": "65536 at least", "a,": "contents or max=bytes",
	} {
		_, err := ParseEnv(value)
		assert.ErrorContains(t, err, want, value)
		_, err = FromEnv(value)
		assert.Error(t, err)
	}
	a, err := FromEnv("x")
	require.NoError(t, err)
	b, err := FromEnv("x")
	require.NoError(t, err)
	assert.Same(t, a, b)
	assert.Equal(t, []string{"A=1", "TAPE=2", "=C:=x"}, Without([]string{"A=1", "TAP=x", "TAPE=2", "=C:=x"}, "TAP"))
}

// TestRaised: who may not be told to write files.
func TestRaised(t *testing.T) {
	assert.False(t, raised(1000, 1000, 100, 100, false))
	assert.True(t, raised(1000, 0, 100, 100, false), "setuid")
	assert.True(t, raised(1000, 1000, 100, 0, false), "setgid")
	assert.True(t, raised(1000, 1000, 100, 100, true), "capabilities, or rights that it has given up")
	assert.False(t, Raised(), "of this test")
}
