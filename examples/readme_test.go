package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
)

// pages are README and all that is in docs.
func pages(t *testing.T) []string {
	docs, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, docs)
	return append(docs, "../README.md")
}

// Every block of Go in README, and in docs, stands in a file that is compiled.
func TestReadmeShowsCompiledCode(t *testing.T) {
	files := goFiles(t)
	for _, name := range pages(t) {
		for _, block := range exampletest.CodeBlocks(exampletest.ReadFile(t, name), "go") {
			assert.True(t, slices.ContainsFunc(files, func(file []string) bool { return contains(file, block) }),
				"this block of %s occurs in no .go file:\n%s", name, strings.Join(block, "\n"))
		}
	}
}

// README is read from top to bottom in five minutes. What is looked up belongs into docs.
func TestReadmeIsShort(t *testing.T) {
	require.LessOrEqual(t, strings.Count(exampletest.ReadFile(t, "../README.md"), "\n"), 260)
}

func TestReadmeShowsOutput(t *testing.T) {
	blocks := exampletest.CodeBlocks(exampletest.ReadFile(t, "../README.md"), "text")
	require.Len(t, blocks, 1)
	require.Equal(t, exampletest.ReadFile(t, "testdata/hello.txt"), strings.Join(blocks[0], "\n")+"\n")
}

// Links, and the pictures of README, lead to files that are there, and to headings of theirs.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|srcset="|src=")([^)#:\s"]*)(?:#([^)\s"]+))?[)"]`)
	for _, name := range append(pages(t), "../CONTRIBUTING.md", "README.md", "polyglot/README.md", "../.github/SECURITY.md") {
		for _, m := range link.FindAllStringSubmatch(exampletest.ReadFile(t, name), -1) {
			target := name
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(name), filepath.FromSlash(m[1]))
			}
			if _, err := os.Stat(target); assert.NoError(t, err, "%s links to %s", name, m[1]) && m[2] != "" {
				assert.Contains(t, anchors(exampletest.ReadFile(t, target)), m[2], "%s links to %s", name, m[0])
			}
		}
	}
}

// anchors returns the names that a page's headings have in links: in lower case, with hyphens for
// spaces and without punctuation.
func anchors(markdown string) (names []string) {
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	punctuation := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, m := range heading.FindAllStringSubmatch(markdown, -1) {
		name := punctuation.ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// The picture for dark pages differs from the other one in its colours alone.
func TestPicturesAreAlike(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>.*</style>`)
	light, dark := exampletest.ReadFile(t, "../docs/picture/light.svg"), exampletest.ReadFile(t, "../docs/picture/dark.svg")
	require.Regexp(t, style, light)
	require.NotEqual(t, light, dark)
	require.Equal(t, style.ReplaceAllString(light, ""), style.ReplaceAllString(dark, ""))
}

// goFiles returns the lines of each Go file of the module.
func goFiles(t *testing.T) (files [][]string) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			files = append(files, strings.Split(exampletest.ReadFile(t, path), "\n"))
		}
		return err
	}))
	return files
}

// contains reports whether block stands in file, all of it indented alike.
func contains(file, block []string) bool {
	for at := range len(file) - len(block) + 1 {
		indent, ok := strings.CutSuffix(file[at], block[0])
		if ok && strings.Trim(indent, "\t") == "" && slices.EqualFunc(block, file[at:at+len(block)], func(want, got string) bool {
			return got == want || got == indent+want
		}) {
			return true
		}
	}
	return false
}
