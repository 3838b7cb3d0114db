package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
)

// The two programs of migrate are the same but for what they import and the
// two functions that connect.
func TestMigrateDiffersInConnecting(t *testing.T) {
	before, after := declarations(t, "migrate/before/main.go"), declarations(t, "migrate/after/main.go")
	var differ []string
	for name := range before {
		if before[name] != after[name] {
			differ = append(differ, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	require.Equal(t, []string{"connect", "import", "serveParent"}, differ)
	require.Contains(t, before, "main")
	require.Contains(t, before, "use")
}

// declarations returns the source of a file's top-level declarations by name,
// comments included.
func declarations(t *testing.T, name string) map[string]string {
	source := exampletest.ReadFile(t, name)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	decls := map[string]string{}
	end := fset.Position(f.Name.End()).Offset
	for _, d := range f.Decls {
		var name string
		switch d := d.(type) {
		case *ast.FuncDecl:
			name = d.Name.Name
		case *ast.GenDecl:
			name = d.Tok.String()
			if s, ok := d.Specs[0].(*ast.TypeSpec); ok {
				name = s.Name.Name
			}
		}
		require.NotContains(t, decls, name)
		begin := end // so that comments before a declaration belong to it
		end = fset.Position(d.End()).Offset
		decls[name] = source[begin:end]
	}
	decls[""] = source[end:]
	return decls
}
