package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"sync"
	"time"
)

// atOnce is how many files are hashed at the same time.
const atOnce = 4

// Job hashes the files of a folder. It knows nothing of pages: what it does is seen on its Board. Its
// exported methods are what the child may call.
type Job struct {
	life  context.Context // ends with the program
	board *Board
	files fs.FS
	slow  time.Duration  // to wait before each read of 32 KiB
	runs  sync.WaitGroup // grows under mu

	mu     sync.Mutex // guards what follows
	phase  string
	gate   chan struct{} // closed while files may be read
	cancel context.CancelFunc
}

// NewJob lists the files of a folder.
func NewJob(ctx context.Context, folder string, slow time.Duration) (*Job, error) {
	j := &Job{life: ctx, board: new(Board), files: os.DirFS(folder), slow: slow}
	all := View{Folder: folder}
	err := fs.WalkDir(j.files, ".", func(path string, d fs.DirEntry, err error) error {
		if path == "." || err == nil && !d.Type().IsRegular() {
			return err
		}
		f := File{N: len(all.Files), Name: path} // or a folder that cannot be read
		if info, e := d.Info(); err == nil && e == nil {
			f.Size = info.Size()
		}
		all.Files = append(all.Files, f)
		all.Total += f.Size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	j.board.merge(all)
	return j, nil
}

// Start starts from the beginning.
func (j *Job) Start(struct{}, *struct{}) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.phase == "running" || j.phase == "paused" {
		return errors.New("it has been started")
	}
	if j.life.Err() != nil {
		return errors.New("the program is about to end")
	}
	ctx, cancel := context.WithCancel(j.life)
	j.cancel, j.gate = cancel, make(chan struct{})
	close(j.gate)
	files := j.board.restart()
	j.enter("running")
	j.runs.Go(func() { j.run(ctx, files) })
	return nil
}

// Pause has no more read until Resume.
func (j *Job) Pause(struct{}, *struct{}) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.phase != "running" {
		return errors.New("it is not running")
	}
	j.gate = make(chan struct{})
	j.enter("paused")
	return nil
}

// Resume goes on after Pause.
func (j *Job) Resume(struct{}, *struct{}) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.phase != "paused" {
		return errors.New("it is not paused")
	}
	close(j.gate)
	j.enter("running")
	return nil
}

// Cancel ends it. What was hashed stays on the board.
func (j *Job) Cancel(struct{}, *struct{}) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.phase != "running" && j.phase != "paused" {
		return errors.New("it is not running")
	}
	j.cancel()
	return nil
}

// enter changes the phase. j.mu is held.
func (j *Job) enter(phase string) {
	j.phase = phase
	j.board.change(func(v *View, _ int) { v.Phase = phase })
	log.Print("hashing: ", phase)
}

// run hashes all files, or some, if ctx ends.
func (j *Job) run(ctx context.Context, files []File) {
	next := make(chan File)
	var hashing, drawing sync.WaitGroup
	for range atOnce {
		hashing.Go(func() {
			for f := range next {
				j.hash(ctx, f)
			}
		})
	}
	over := make(chan struct{})
	drawing.Go(func() { j.draw(over) })
	for _, f := range files {
		select {
		case next <- f:
		case <-ctx.Done():
		}
	}
	close(next)
	hashing.Wait()
	close(over)
	drawing.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if ctx.Err() != nil {
		j.enter("cancelled")
	} else {
		j.enter("done")
	}
	j.cancel()
}

// hash hashes one file.
func (j *Job) hash(ctx context.Context, file File) {
	sum := sha256.New()
	f, err := j.files.Open(file.Name)
	if err == nil {
		defer f.Close()
		_, err = io.Copy(sum, &reading{ctx, j, file.N, f})
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.Print(err)
		j.board.file(file.N, func(f *File) { f.Error = err.Error() })
	default:
		j.board.file(file.N, func(f *File) { f.Sum = fmt.Sprintf("%x", sum.Sum(nil)) })
	}
}

// reading is a file that is being read.
type reading struct {
	ctx context.Context
	job *Job
	n   int // its place in the list
	f   io.Reader
}

// Read reads when it may.
func (r *reading) Read(b []byte) (int, error) {
	if r.job.slow > 0 {
		select {
		case <-time.After(r.job.slow):
		case <-r.ctx.Done():
		}
	}
	r.job.mu.Lock()
	gate := r.job.gate
	r.job.mu.Unlock()
	select {
	case <-gate:
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
	n, err := r.f.Read(b)
	r.job.board.file(r.n, func(f *File) { f.Done += int64(n) })
	return n, err
}

// draw draws the chart.
func (j *Job) draw(over <-chan struct{}) {
	ticker := time.NewTicker(time.Second / 4)
	defer ticker.Stop()
	for last := int64(0); ; {
		select {
		case <-ticker.C:
			j.board.change(func(v *View, _ int) {
				v.Chart = latest(append(v.Chart, (v.Done-last)*4), 120) // of 30 s
				last = v.Done
			})
		case <-over:
			return
		}
	}
}
