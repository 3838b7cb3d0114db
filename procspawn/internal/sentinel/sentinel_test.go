package sentinel

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Anything else that this package imported would be initialised before it.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			require.NoError(t, err)
			assert.Contains(t, []string{"os", "syscall"}, path, "imported by %s", name)
		}
	}
}

func TestWords(t *testing.T) {
	for _, fds := range [][2]int{{3, 4}, {9, 10}, {100, 65535}, {123456789, 987654321}} {
		words := Words(fds[0], fds[1])
		for _, word := range words {
			assert.Regexp(t, `^[A-Za-z0-9_.,:]+$`, word)
		}
		assert.Equal(t, 1, Find([]string{"prog", words[0], words[1]}))
		e, err := parse(words[0], words[1])
		assert.NoError(t, err)
		assert.Equal(t, ends{inheritedKind, fds[0], fds[1], 0}, e)
	}
	e, err := parse("viaduct.1", inherited("fd:3,4,5"))
	assert.NoError(t, err)
	assert.Equal(t, ends{inheritedKind, 3, 4, 5}, e)
	assert.Equal(t, [2]string{"viaduct.1", inherited("fd:3,4,5")}, Words(3, 4, 5))
	e, err = parse("viaduct.1", "stdio:0,1")
	assert.NoError(t, err)
	assert.Equal(t, ends{"stdio", 0, 1, 0}, e)
	assert.Equal(t, [2]string{"viaduct.1", "stdio:0,1"}, StdioWords())
	assert.Equal(t, [2]string{"viaduct.1", inherited("fd:3,4")}, Words(3, 4))
}

// inherited is a second word as this system has it.
func inherited(word string) string { return strings.Replace(word, "fd:", inheritedKind+":", 1) }

func TestFind(t *testing.T) {
	tests := []struct {
		args string
		want int
	}{
		{"prog", -1},
		{"prog viaduct.1", -1},
		{"prog viaduct.1 fd:3,4", 1},
		{"prog -v viaduct.1 fd:3,4 viaduct.1 fd:5,6", 2},
		{"viaduct.1 fd:3,4", -1}, // the program's name is no argument
		{"prog viaduct.1 viaduct.1 fd:3,4", 2},
		{"prog fd:3,4 viaduct.1", -1},
		{"prog viaduct.2 fd:3,4", 1},
		{"prog viaduct.17 pipe:a,b", 1},
		{"prog viaduct. fd:3,4", -1},
		{"prog viaduct.x fd:3,4", -1},
		{"prog viaduct.1x fd:3,4", -1},
		{"prog Viaduct.1 fd:3,4", -1},
		{"prog viaduct.1 fd", -1},
		{"prog viaduct.1 :3,4", -1},
		{"prog viaduct.1 FD:3,4", -1},
		{"prog viaduct.1 ./fd:3,4", -1},
		{"prog viaduct.1 fd:", 1},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, Find(strings.Fields(tt.args)), tt.args)
	}
	assert.Equal(t, -1, Find(nil))
}

func TestParseRefuses(t *testing.T) {
	words := []string{
		"fd:", "fd:3", "fd:3,", "fd:,3", "fd:3,4,", "fd:3,4,5,6", "fd:3,4,4", "fd:3,4,3", "fd:3,4,0", "stdio:", "stdio:1,0", "stdio:0,1,2", "fd:3;4", "fd:-3,4", "fd:+3,4", "fd: 3,4", "fd:3, 4",
		"fd:0,3", "fd:3,0", "fd:3,3", "fd:03,4", "fd:3,04", "fd:00,1", "fd:0x3,4", "fd:1234567890,4", "fd:99999999999999999999,4", "pipe:3,4",
	}
	if inheritedKind == kindFd {
		words = append(words, "fd:2,3", "fd:3,2", "fd:3,4,2")
	}
	for _, word := range words {
		second := inherited(word)
		_, err := parse("viaduct.1", second)
		if assert.Error(t, err, second) {
			assert.Contains(t, err.Error(), second)
			assert.Contains(t, err.Error(), inherited("fd:R,W"))
		}
	}
	_, err := parse("viaduct.2", inherited("fd:3,4"))
	assert.ErrorContains(t, err, "version 2 of the sentinel, this program knows version 1")
	other := map[string]string{kindFd: "handle:3,4", kindHandle: "fd:3,4"}[inheritedKind]
	_, err = parse("viaduct.1", other)
	assert.ErrorContains(t, err, "came as "+other)
}

func FuzzSentinel(f *testing.F) {
	for _, second := range []string{"fd:3,4", "fd:3,", "fd:03,4", "fd:4,4", "fd:999999999,3", "fd:99999999999,3", "handle:1,2", "fd:3,4,5", "stdio:0,1", ":", "fd", "FD:3,4"} {
		f.Add("viaduct.1", second)
	}
	f.Add("viaduct.2", "fd:3,4")
	f.Add("viaduct.", "fd:3,4")
	f.Add("viaduct.99999999999999999999", "x:")
	f.Fuzz(func(t *testing.T, first, second string) {
		if Find([]string{"prog", first, second}) < 0 {
			return
		}
		e, err := parse(first, second)
		switch {
		case err != nil:
		case e.kind == kindStdio:
			assert.Equal(t, StdioWords(), [2]string{first, second})
		case e.crash == 0:
			assert.Equal(t, Words(e.r, e.w), [2]string{first, second})
		default:
			assert.Equal(t, Words(e.r, e.w, e.crash), [2]string{first, second})
		}
	})
}
