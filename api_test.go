package viaduct_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
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
		lines := strings.Split(string(want), "\n")
		for line := range strings.SplitSeq(got, "\n") {
			if !slices.Contains(lines, line) {
				t.Logf("new in %s: %s", dir, line)
			}
		}
		for _, line := range lines {
			if !slices.Contains(strings.Split(got, "\n"), line) {
				t.Logf("gone from %s: %s", dir, line)
			}
		}
		assert.True(t, string(want) == got, "the exported names of %s have changed. If they are to: "+
			"go test . -run TestAPI -update, and a line in docs/CHANGELOG.md", dir)
	}
}

// receiver is that of a method users can call.
var receiver = regexp.MustCompile(`^\*?[A-Z]`)

// leaveOutTexts takes the texts of errors out of a declaration: nobody is to rely on them.
func leaveOutTexts(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok {
			for _, value := range v.Values {
				if call, ok := value.(*ast.CallExpr); ok && g.Tok == token.VAR {
					call.Args = nil
				}
			}
		}
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
			if g, ok := d.(*ast.GenDecl); ok {
				if g.Tok == token.IMPORT {
					continue
				}
				leaveOutTexts(g)
			}
			if fn, ok := d.(*ast.FuncDecl); ok {
				if fn.Recv != nil && !receiver.MatchString(types.ExprString(fn.Recv.List[0].Type)) {
					continue
				}
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
