package viaduct_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/api anew")

// TestAPI: what the public packages export is what docs/api says, for all systems together. Who
// changes one of them changes both, knowing what it does to users.
func TestAPI(t *testing.T) {
	for _, dir := range publicPackages {
		name := strings.ReplaceAll(dir, "/", "-")
		if dir == "." {
			name = "viaduct"
		}
		golden := filepath.Join("docs", "api", name+".txt")
		got := exported(t, dir)
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
			require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			continue
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), got, "the exported names of %s have changed. If they are to: "+
			"go test . -run TestAPI -update, and a line in docs/CHANGELOG.md", dir)
	}
}

// exported lists the exported declarations of a package, without comments, each once, in order.
func exported(t *testing.T, dir string) string {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var decls []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.FileExports(f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			if fn, ok := d.(*ast.FuncDecl); ok {
				fn.Body = nil
			}
			var text bytes.Buffer
			require.NoError(t, printer.Fprint(&text, set, d))
			decls = append(decls, text.String()+"\n")
		}
	}
	slices.Sort(decls)
	return strings.Join(slices.Compact(decls), "\n")
}
