package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is what go test -json prints of a package p.
func said(t *testing.T, lines ...string) results {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		action, rest, _ := strings.Cut(line, " ")
		name, output, _ := strings.Cut(rest, " ")
		text.WriteString(`{"Action":"` + action + `","Package":"p","Test":"` + name + `","Output":"` + output + `"}` + "\n")
	}
	r, err := read(strings.NewReader(text.String()), []string{"too late"})
	require.NoError(t, err)
	return r
}

// TestRead: each test is read with how it went, one that has not ended as failed.
func TestRead(t *testing.T) {
	r := said(t,
		"run A", "pass A", "run B", "run B/one", "output B/one was too late", "fail B/one", "run B/two", "pass B/two", "fail B",
		"run C", "skip C", "run D", "fail D", "run E", "fail",
	)
	for name, want := range map[string]outcome{
		"A": passed, "B": raced, "B/one": raced, "B/two": passed, "C": skipped, "D": failed, "E": failed, "": failed, "F": absent,
	} {
		require.Equal(t, want, r.of(test{"p", name}), name)
	}
	require.Equal(t, "1 passed, 3 failed, 1 skipped (and 2 within them)", r.counts())
	require.Equal(t, "0 passed, 0 failed, 0 skipped (and 0 within them), package p failed", said(t, "fail").counts())

	r = said(t, "run A", "output A too late", "fail A", "run A", "pass A", "run A", "fail A", "run A")
	require.Equal(t, results{{"p", "A"}: {raced, passed, failed, failed}}, r)

	_, err := read(strings.NewReader("cannot build\n"), nil)
	require.ErrorContains(t, err, `has printed "cannot build"`)
}

// TestVerdicts: what breaks is told from what fails anyway.
func TestVerdicts(t *testing.T) {
	pass, fail, race := []string{"run A", "pass A"}, []string{"run A", "fail A"}, []string{"run A", "output A too late", "fail A"}
	skip, none := []string{"run A", "skip A"}, []string{"run B", "pass B"}
	for _, c := range []struct {
		name                      string
		before, after             [][]string
		aloneBefore, aloneAfter   alone
		isBroken, isAmongThoseBad bool
	}{
		{name: "passes", before: [][]string{pass, pass}, after: [][]string{pass, pass}},
		{name: "fails after", before: [][]string{pass, pass}, after: [][]string{pass, fail}, isBroken: true, isAmongThoseBad: true},
		{name: "fails before, too", before: [][]string{fail, pass}, after: [][]string{pass, fail}, isAmongThoseBad: true},
		{name: "fails before, alone", before: [][]string{pass}, after: [][]string{fail}, aloneBefore: alone{20, 19, 1, 0}, isAmongThoseBad: true},
		{name: "fails alone", before: [][]string{pass}, after: [][]string{race}, aloneAfter: alone{20, 18, 1, 1}, isBroken: true, isAmongThoseBad: true},
		{name: "races", before: [][]string{pass, pass}, after: [][]string{race, pass}, isAmongThoseBad: true},
		{name: "races, and passes alone", before: [][]string{pass}, after: [][]string{race}, aloneAfter: alone{20, 1, 0, 19}, isAmongThoseBad: true},
		{name: "loses each race", before: [][]string{race, pass}, after: [][]string{race, race}, aloneAfter: alone{20, 0, 0, 20}, isBroken: true, isAmongThoseBad: true},
		{name: "is not run", before: [][]string{pass}, after: [][]string{none}, isBroken: true},
		{name: "is skipped", before: [][]string{pass}, after: [][]string{skip}, isBroken: true},
		{name: "was skipped", before: [][]string{skip}, after: [][]string{skip}},
	} {
		a := test{"p", "A"}
		side := func(runs [][]string, alone alone) *side {
			s := &side{}
			for _, r := range runs {
				s.runs = append(s.runs, said(t, r...))
			}
			s.setAlone(a, alone)
			return s
		}
		x := &comparison{before: side(c.before, c.aloneBefore), after: side(c.after, c.aloneAfter)}
		require.Equal(t, c.isBroken, len(x.broken()) > 0, c.name)
		require.Equal(t, c.isAmongThoseBad, len(x.failed()) > 0, c.name)
		var out strings.Builder
		x.print(&out)
		require.Equal(t, c.isBroken, strings.Contains(out.String(), "BROKEN"), c.name)
	}
	x := &comparison{
		before: &side{runs: []results{said(t, "run A", "pass A", "pass")}},
		after:  &side{runs: []results{said(t, "fail")}},
	}
	require.Equal(t, []test{{"p", ""}, {"p", "A"}}, x.broken(), "a package that cannot be built")
}

// TestPage: docs/moved.md shows each patch as it is, and each move.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "moved.md"))
	require.NoError(t, err)
	text := strings.ReplaceAll(string(page), "\r\n", "\n")
	shown := make(map[string]bool)
	for _, m := range moves {
		require.Contains(t, text, "./moved "+m.name+"\n")
		require.Contains(t, text, m.version)
		for _, name := range m.patches {
			patch, err := os.ReadFile(filepath.Join("patches", name))
			require.NoError(t, err)
			require.Contains(t, text, "](../proof/moved/patches/"+name+")")
			shown[name] = true
			require.Contains(t, text, "```diff\n"+changed(string(patch))+"```\n", "the lines that %s changes", name)

		}
	}
	files, err := os.ReadDir("patches")
	require.NoError(t, err)
	require.Len(t, files, len(shown))
}

// changed are the lines that a patch takes out and puts in.
func changed(patch string) string {
	var b strings.Builder
	for line := range strings.Lines(patch) {
		if file, ok := strings.CutPrefix(line, "--- a/"); ok {
			b.WriteString("# " + file)
		} else if line[0] == '-' || line[0] == '+' && !strings.HasPrefix(line, "+++ ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestChoose(t *testing.T) {
	all, err := choose(nil)
	require.NoError(t, err)
	require.Equal(t, moves, all)
	one, err := choose([]string{"delve-json"})
	require.NoError(t, err)
	require.Len(t, one, 1)
	_, err = choose([]string{"dolve"})
	require.EqualError(t, err, `there is no move "dolve": give some of delve, delve-json, go-plugin, go-plugin-duplex`)
}

// TestCheckout: it finds the library that it is part of.
func TestCheckout(t *testing.T) {
	dir, err := checkout(context.Background())
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "house_test.go"))
}

// TestCopyModule: scripts can be executed again, and all can be written.
func TestCopyModule(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.Mkdir(filepath.Join(from, "sub"), 0o777))
	for name, text := range map[string]string{"a.go": "package a\n", filepath.Join("sub", "script"): "#!/bin/sh\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(from, name), []byte(text), 0o444))
	}
	require.NoError(t, copyModule(to, from))
	for name, want := range map[string]os.FileMode{"a.go": 0o200, filepath.Join("sub", "script"): 0o300} {
		info, err := os.Stat(filepath.Join(to, name))
		require.NoError(t, err)
		if runtime.GOOS != "windows" { // which has no such bits
			require.Equal(t, want, info.Mode()&0o300, name)
		}
	}
}

// TestChange: the patches of a move fit a module as it is, and its size is told.
func TestChange(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	patches := filepath.Join(root, "proof", "moved", "patches")
	require.NoError(t, os.MkdirAll(patches, 0o777))
	for name, text := range map[string]string{
		filepath.Join(root, "go.mod"):       "module github.com/viaduct-go/viaduct\n\ngo 1.25.0\n",
		filepath.Join(root, "codec.go"):     "package viaduct\n",
		filepath.Join(dir, "go.mod"):        "module example.com/m\n\ngo 1.21\n",
		filepath.Join(dir, "m.go"):          "package m\n\nconst A = 1\n",
		filepath.Join(patches, "one.patch"): "--- a/m.go\n+++ b/m.go\n@@ -1,3 +1,5 @@\n package m\n \n-const A = 1\n+import _ \"github.com/viaduct-go/viaduct\"\n+\n+const A = 2\n",
		filepath.Join(patches, "bad.patch"): "--- a/m.go\n+++ b/m.go\n@@ -1,3 +1,3 @@\n package m\n \n-const A = 7\n+const A = 2\n",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
	}
	w := &workshop{root: root}
	_, err := w.change(t.Context(), dir, move{patches: []string{"bad.patch"}})
	require.ErrorContains(t, err, "patch does not apply")
	size, err := w.change(t.Context(), dir, move{patches: []string{"one.patch"}})
	require.NoError(t, err)
	require.Equal(t, "3 lines written in 1 files", size)
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	require.Contains(t, string(text), "go 1.25.0")
	require.Contains(t, string(text), "replace github.com/viaduct-go/viaduct => "+root)
	_, err = command(t.Context(), dir, "go", "vet", ".")
	require.NoError(t, err)
}
