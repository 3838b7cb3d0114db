package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A workshop is where programs are changed and tested. One goroutine uses it.
type workshop struct {
	root string // of viaduct
	dir  string // to work in
	out  io.Writer

	runs, again int
	limit       time.Duration

	before map[string]*side // by the module: several moves have the same
}

// move makes a move, runs the tests of both sides, and compares.
func (w *workshop) move(ctx context.Context, m move) (*comparison, error) {
	say(w.out, "%s: %s@%s, %s", m.name, m.module, m.version, m.what)
	source, err := download(ctx, w.dir, m)
	if err != nil {
		return nil, err
	}
	key := m.module + " " + strings.Join(m.tests, " ")
	before := w.before[key]
	if before == nil {
		before = &side{move: m, name: "before", dir: filepath.Join(w.dir, m.name+"-before")}
		if err := copyModule(before.dir, source); err != nil {
			return nil, err
		}
		if err := w.test(ctx, before); err != nil {
			return nil, err
		}
		w.before[key] = before
	}
	after := &side{move: m, name: "after", dir: filepath.Join(w.dir, m.name)}
	if err := copyModule(after.dir, source); err != nil {
		return nil, err
	}
	change, err := w.change(ctx, after.dir, m)
	if err != nil {
		return nil, err
	}
	if err := w.test(ctx, after); err != nil {
		return nil, err
	}
	c := &comparison{move: m, change: change, before: before, after: after}
	return c, w.settle(ctx, c)
}

// test runs the tests of a side, several times.
func (w *workshop) test(ctx context.Context, s *side) error {
	for n := range w.runs {
		begin := time.Now()
		r, err := w.goTest(ctx, s, fmt.Sprint(n+1), append([]string{"-count=1"}, s.move.tests...)...)
		if err != nil {
			return err
		}
		s.runs = append(s.runs, r)
		say(w.out, "%s, run %d: %s in %d s", s.name, n+1, r.counts(), int(time.Since(begin).Seconds()))
	}
	return nil
}

// settle has each test that has failed run alone, several times, on both sides.
func (w *workshop) settle(ctx context.Context, c *comparison) error {
	if w.again == 0 {
		return nil
	}
	for _, t := range c.failed() {
		if t.within() || t.name == "" {
			continue // it runs with the test that it is part of; a package as such does not run alone
		}
		for _, s := range []*side{c.before, c.after} {
			if s.alone[t].runs > 0 {
				continue // for another move
			}
			args := []string{"-run=^" + regexp.QuoteMeta(t.name) + "$", fmt.Sprintf("-count=%d", w.again), t.pkg}
			r, err := w.goTest(ctx, s, t.name, args...)
			if err != nil {
				return err
			}
			a := alone{runs: w.again, passed: r.times(t, passed), raced: r.times(t, raced)}
			a.failed = w.again - a.passed - a.raced - r.times(t, skipped)
			s.setAlone(t, a)
			say(w.out, "%s, %s alone: %s", s.name, t.name, a)
		}
	}
	return nil
}

// goTest runs go test, leaves what it has reported beside the directory of the side, and reads that.
// That tests fail is no error.
func (w *workshop) goTest(ctx context.Context, s *side, name string, args ...string) (results, error) {
	args = append([]string{"go", "test", "-json", "-timeout=" + w.limit.String()}, args...)
	out, err := command(ctx, s.dir, args...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := os.WriteFile(s.dir+"."+name+".json", out, 0o666); err != nil {
		return nil, err
	}
	r, bad := read(bytes.NewReader(out), s.move.races)
	if bad == nil && len(r) == 0 {
		bad = fmt.Errorf("go test reports no test: %w", err)
	}
	return r, bad
}

// download gets a module into the cache of the go command, and returns where it lies there.
func download(ctx context.Context, dir string, m move) (string, error) {
	out, err := command(ctx, dir, "go", "mod", "download", "-json", m.module+"@"+m.version)
	if err != nil {
		return "", err
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &got); err != nil {
		return "", err
	}
	if got.Sum != m.sum {
		return "", fmt.Errorf("%s@%s has the sum %s, and %s was expected", m.module, m.version, got.Sum, m.sum)
	}
	return got.Dir, nil
}

// copyModule copies a module, and makes its scripts executable again, which modules do not say of files:
// delve's tests have some.
func copyModule(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.HasPrefix(text, []byte("#!")) {
			err = os.Chmod(path, 0o777)
		}
		return err
	})
}

// change applies the patches of a move, and has it built with this checkout of viaduct. It returns
// what is changed, in words.
func (w *workshop) change(ctx context.Context, dir string, m move) (string, error) {
	for _, name := range m.patches {
		patch := filepath.Join(w.root, "proof", "moved", "patches", name)
		if _, err := command(ctx, dir, "git", "apply", "--whitespace=nowarn", patch); err != nil {
			return "", err
		}
	}
	goVersion, err := command(ctx, w.root, "go", "list", "-m", "-f", "{{.GoVersion}}")
	if err != nil {
		return "", err
	}
	const viaduct = "github.com/viaduct-go/viaduct"
	for _, args := range [][]string{
		{"go", "mod", "edit", "-go=" + strings.TrimSpace(string(goVersion)), "-require=" + viaduct + "@v0.0.0", "-replace=" + viaduct + "=" + w.root},
		{"go", "list", "-mod=mod", "-test", "-deps", "./..."}, // adds to go.mod and go.sum what they lack
	} {
		if _, err := command(ctx, dir, args...); err != nil {
			return "", err
		}
	}
	return w.size(m)
}

// size says how much the patches of a move change.
func (w *workshop) size(m move) (string, error) {
	lines, files := 0, make(map[string]bool)
	for _, name := range m.patches {
		text, err := os.ReadFile(filepath.Join(w.root, "proof", "moved", "patches", name))
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
				files[file] = true
			} else if strings.HasPrefix(line, "+") {
				lines++
			}
		}
	}
	return fmt.Sprintf("%d lines written in %d files", lines, len(files)), nil
}
