package conformance_test

import (
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Judge is what the programs of polyglot/README.md call.
type Judge struct{}

func (Judge) Judge(height int, verdict *string) error {
	*verdict = strings.Repeat("*", height)
	return nil
}

// The programs of polyglot/README.md run where the module was copied to.
func TestPolyglotReadmeRuns(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			interpreter := l.interpreter(t)
			dir, extension := t.TempDir(), filepath.Ext(l.child)
			module := filepath.Join("polyglot", l.name, "viaduct"+extension)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "viaduct"+extension), []byte(exampletest.ReadFile(t, module)), 0o644))
			blocks := exampletest.CodeBlocks(exampletest.ReadFile(t, "polyglot/README.md"), map[string]string{"python": "python", "node": "js"}[l.name])
			require.Len(t, blocks, 1)
			program := filepath.Join(dir, "program"+extension)
			require.NoError(t, os.WriteFile(program, []byte(strings.Join(blocks[0], "\n")), 0o644))
			packages, err := filepath.Abs("polyglot/node_modules") // what npm install @msgpack/msgpack would bring
			require.NoError(t, err)
			require.NoError(t, os.Symlink(packages, filepath.Join(dir, "node_modules")))

			server := rpc.NewServer()
			require.NoError(t, server.RegisterName("Parent", Judge{}))
			p, err := rpcpipe.Start(t.Context(), exec.Command(interpreter, program, procspawn.Here),
				&rpcpipe.Options{Server: server, CloseTimeout: 20 * time.Second})
			require.NoError(t, err)
			defer p.Close()
			var verdict string
			require.NoError(t, p.Call("Child.Frontflip", 3, &verdict))
			require.Equal(t, "***", verdict)
			require.NoError(t, p.Close())
			exit := p.Process().Exit()
			require.Equal(t, 0, exit.Code)
			require.Empty(t, string(exit.Stderr))
		})
	}
}

// What polyglot/README.md names is there, in the column's language.
func TestPolyglotReadmeNames(t *testing.T) {
	python, node := exampletest.ReadFile(t, "polyglot/python/viaduct.py"), exampletest.ReadFile(t, "polyglot/node/viaduct.mjs")
	method := regexp.MustCompile(`(?:peer|stream|viaduct)\.([a-zA-Z_]+)\(|^([a-zA-Z_]+)\(\)`)
	found := 0
	for line := range strings.Lines(exampletest.ReadFile(t, "polyglot/README.md")) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		for i, source := range []string{python, node} {
			for _, m := range method.FindAllStringSubmatch(cells[i+1], -1) {
				found++
				name := m[1] + m[2]
				there, err := regexp.MatchString(`(def|class|async|const|\n ) ?`+name+`( = |\()`, source)
				require.NoError(t, err)
				assert.True(t, there, "%s of %s", name, cells[i+1])
			}
		}
	}
	require.Greater(t, found, 30)
	for _, kind := range []string{"MethodError", "Overload", "NotSent", "Cancelled", "DeadlineExceeded", "Down", "ProtocolError", "StreamError", "NotAChild"} {
		require.Contains(t, python, "class "+kind+"(")
		require.Contains(t, node, "class "+kind+" extends")
	}
}
