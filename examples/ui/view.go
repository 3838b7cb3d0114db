package main

import (
	"slices"
	"strings"
	"sync"
)

// View is what the page shows, or what of it has changed.
type View struct {
	Folder      string
	Phase       string  // running, paused, cancelled or done
	Done, Total int64   // bytes
	Chart       []int64 // bytes a second, four times a second, the latest last
	Files       []File  // those that have changed
	Lines       []Line  // of the log: those that are new
	Ended       string  // why nothing more will come
}

// File is a file that is hashed.
type File struct {
	N          int // its place in the list
	Name       string
	Size, Done int64
	Sum, Error string // when it is done, or has failed

	version int
}

// Line is a line of the log.
type Line struct {
	N    int // counted from 1
	Text string

	version int
}

// Board is a View that changes. The parent has one, and each child a copy. Who looks at it gets what has
// changed since the last look, and may look as seldom as it likes.
type Board struct {
	mu      sync.Mutex    // guards what follows
	view    View          // whole
	version int           // of the latest change
	changed chan struct{} // closed with the next change; may be nil
}

// change has f change the view. What f changes of files and lines gets that version.
func (b *Board) change(f func(v *View, version int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	f(&b.view, b.version)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// since returns what has changed since a version, the version of now, and a channel that is closed with
// the next change.
func (b *Board) since(version int) (v View, now int, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v = b.view
	v.Chart = slices.Clone(v.Chart)
	v.Files = slices.DeleteFunc(slices.Clone(v.Files), func(f File) bool { return f.version <= version })
	v.Lines = slices.DeleteFunc(slices.Clone(v.Lines), func(l Line) bool { return l.version <= version })
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return v, b.version, b.changed
}

// merge brings the board up to date with another one, by what has changed there.
func (b *Board) merge(news View) {
	b.change(func(v *View, version int) {
		files, lines := v.Files, v.Lines
		for _, f := range news.Files {
			f.version = version
			if f.N < len(files) {
				files[f.N] = f
			} else {
				files = append(files, f)
			}
		}
		for _, l := range news.Lines {
			l.version = version
			lines = append(lines, l)
		}
		*v = news
		v.Files, v.Lines = files, latest(lines, 200)
	})
}

// file has f change a file.
func (b *Board) file(n int, f func(*File)) {
	b.change(func(v *View, version int) {
		file := &v.Files[n]
		before := file.Done
		f(file)
		file.version = version
		v.Done += file.Done - before
	})
}

// restart has all files not hashed, and returns them.
func (b *Board) restart() []File {
	b.change(func(v *View, version int) {
		v.Done, v.Chart = 0, nil
		for i, f := range v.Files {
			v.Files[i] = File{N: i, Name: f.Name, Size: f.Size, version: version}
		}
	})
	all, _, _ := b.since(0)
	return all.Files
}

// Write adds a line to the log.
func (b *Board) Write(line []byte) (int, error) {
	b.change(func(v *View, version int) {
		n := 1
		if len(v.Lines) > 0 {
			n += v.Lines[len(v.Lines)-1].N
		}
		v.Lines = latest(append(v.Lines, Line{n, strings.TrimSpace(string(line)), version}), 200)
	})
	return len(line), nil
}

// latest returns the last n of a list, or as many as there are.
func latest[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
