package viaduct_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// topLevel is what lies at the top: the parts of the design by name, and nothing else.
var topLevel = []string{
	".ci", ".git", ".github", ".gitignore",
	"CONTRIBUTING.md", "LICENSE", "README.md", "go.mod", "go.sum",
	"codec.go", "caller.go", "errors.go", "values.go",
	"api_test.go", "codec_test.go", "dialect_test.go", "errors_test.go", "values_test.go", "house_test.go", "kit_test.go",
	"docs", "duplex", "examples", "internal", "procspawn", "rpcpipe",
	"bench", "cmd", "proof", // modules of their own, where there are some
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		assert.Contains(t, topLevel, e.Name(), "which is not among the parts of the design")
	}
}

// sizes bounds the packages: files besides tests and the variants of platforms, lines with those. A
// package that outgrows them is two.
var sizes = map[string]struct{ files, lines int }{
	".":             {4, 700},
	"duplex":        {24, 5400}, // its comments, at 100 columns, take more lines than was planned
	"procspawn":     {24, 4200},
	"rpcpipe":       {37, 6250}, // three rooms of one type each: the Peer, the Supervisor, the Pool
	"internal/body": {20, 2950}, // a file for each kind of value
	"":              {15, 2500}, // all others
}

var platform = regexp.MustCompile(`_(unix|linux|windows|darwin|freebsd|solaris|plan9|other)\.go$`)

// TestSizes: no package and no file outgrows what one can keep in mind.
func TestSizes(t *testing.T) {
	files, lines := map[string]int{}, map[string]int{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "examples", "bench", "proof", "cmd", "node_modules", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n := strings.Count(string(text), "\n")
		assert.LessOrEqual(t, n, 400, "lines of %s", path)
		dir := filepath.ToSlash(filepath.Dir(path))
		lines[dir] += n
		if !platform.MatchString(path) {
			files[dir]++
		}
		return nil
	}))
	require.Greater(t, len(files), 15)
	for dir := range files {
		most, ok := sizes[dir]
		if !ok {
			most = sizes[""]
		}
		assert.LessOrEqual(t, files[dir], most.files, "files of %s", dir)
		assert.LessOrEqual(t, lines[dir], most.lines, "lines of %s", dir)
	}
}

// publicPackages are those that users import.
var publicPackages = []string{".", "duplex", "procspawn", "rpcpipe", "rpcpipe/rpctest"}

// machinery is what a public comment does not speak of: who sets it, if not the reader.
var machinery = regexp.MustCompile(`(?i)(set by rpcpipe|rpcpipe sets|rpcpipe uses|for rpcpipe|not for users of|internal use)`)

// TestPublicDocs: every exported name of the public packages is documented, and none is there for
// another package of ours.
func TestPublicDocs(t *testing.T) {
	for _, dir := range publicPackages {
		set := token.NewFileSet()
		var files []*ast.File
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, f)
			for _, c := range f.Comments {
				assert.NotRegexp(t, machinery, c.Text(), "a comment of %s", name)
			}
		}
		p, err := doc.NewFromFiles(set, files, "github.com/viaduct-go/viaduct/"+dir)
		require.NoError(t, err)
		assert.NotEmpty(t, p.Doc, dir)
		for _, f := range p.Funcs {
			assert.NotEmpty(t, f.Doc, "%s: %s", dir, f.Name)
		}
		for _, typ := range p.Types {
			assert.NotEmpty(t, typ.Doc, "%s: %s", dir, typ.Name)
			for _, f := range typ.Funcs {
				assert.NotEmpty(t, f.Doc, "%s: %s", dir, f.Name)
			}
			for _, m := range typ.Methods {
				if !wellKnown[m.Name] {
					assert.NotEmpty(t, m.Doc, "%s: %s.%s", dir, typ.Name, m.Name)
				}
			}
		}
	}
}

// wellKnown are methods whose contract stands elsewhere.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "Is": true, "As": true, "String": true, "Network": true}

// TestAliases: the comment of each type that is an alias shows the fields that it has.
func TestAliases(t *testing.T) {
	testAliases(t, "errors.go", []reflect.Type{
		reflect.TypeFor[viaduct.Error](), reflect.TypeFor[viaduct.PanicError](), reflect.TypeFor[viaduct.BodyError](),
		reflect.TypeFor[viaduct.SizeError](), reflect.TypeFor[viaduct.ProtocolError](),
		reflect.TypeFor[viaduct.DownError](), reflect.TypeFor[viaduct.ShutdownError](),
	})
	testAliases(t, "rpcpipe/methods.go", []reflect.Type{
		reflect.TypeFor[rpcpipe.Listing](), reflect.TypeFor[rpcpipe.Method](), reflect.TypeFor[rpcpipe.Type](), reflect.TypeFor[rpcpipe.Field](),
	})
}

func testAliases(t *testing.T, file string, types []reflect.Type) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	inner := regexp.MustCompile(`\blisting\.`)
	for _, typ := range types {
		comment := regexp.MustCompile(`(?m)((?:^//.*\n)+)type ` + typ.Name() + ` = `).FindStringSubmatch(string(text))
		require.NotNil(t, comment, "%s is no alias of %s", typ.Name(), file)
		shown := map[string]string{}
		for line := range strings.Lines(comment[1]) {
			field := regexp.MustCompile(`^//\t([\w, ]+?) +([\w\[\]]+)(?: +//.*)?\n$`).FindStringSubmatch(line)
			if field == nil {
				continue
			}
			for name := range strings.SplitSeq(field[1], ", ") {
				shown[name] = strings.ReplaceAll(field[2], "any", "interface {}")
			}
		}
		has := map[string]string{}
		for i := range typ.NumField() {
			has[typ.Field(i).Name] = inner.ReplaceAllString(typ.Field(i).Type.String(), "")
		}
		assert.Equal(t, has, shown, "fields of %s", typ.Name())
	}
}

// TestClaimsHaveTests: each test that docs/security.md names is there.
func TestClaimsHaveTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "security.md"))
	require.NoError(t, err)
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(names), 30)
	there := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(b), -1) {
			there[m[1]] = true
		}
		return err
	}))
	for _, name := range names {
		assert.True(t, there[name[1]], "docs/security.md names %s, which is not there", name[1])
	}
}

// TestTextsAreThere: what docs/troubleshooting.md has in quotes, the library says, or net/rpc or the
// system.
func TestTextsAreThere(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "troubleshooting.md"))
	require.NoError(t, err)
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		code.Write(b)
		return err
	}))
	quoted := regexp.MustCompile(`(?m)^\| "([^"]+)" *\|`).FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(quoted), 15)
	for _, q := range quoted {
		assert.Contains(t, code.String(), q[1], "docs/troubleshooting.md says so")
	}
}
