package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
)

const polyglotParentOf = "VIADUCT_TEST_POLYGLOT_PARENT_OF"

// The parent is killed. The child holds the stdout of both, which is read until nobody does.
func TestPolyglotParentKilled(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			interpreter := l.interpreter(t)
			var stderr bytes.Buffer
			orphans, known := exampletest.CountOrphans(t, func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPolyglotParent$")
				cmd.Env = append(os.Environ(), polyglotParentOf+"="+interpreter+","+l.child)
				cmd.Dir = filepath.Join("polyglot", "conformance") // where TestMain expects to be
				cmd.Stderr = &stderr
				stdout, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				lines := bufio.NewReader(stdout)
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "waiting\n", line)
				require.NoError(t, cmd.Process.Kill())
				rest, err := io.ReadAll(lines)
				require.NoError(t, err)
				require.Empty(t, string(rest))
				require.Error(t, cmd.Wait())
			})
			require.Empty(t, stderr.String())
			if known {
				require.Equal(t, 1, orphans)
			}
		})
	}
}

// TestPolyglotParent is the process that TestPolyglotParentKilled kills.
func TestPolyglotParent(t *testing.T) {
	interpreter, file, ok := strings.Cut(os.Getenv(polyglotParentOf), ",")
	if !ok {
		t.Skip("is run by TestPolyglotParentKilled")
	}
	c := startPolyglot(t, interpreter, file, true)
	c.Go("Child.Wait", nil, nil, nil)
	fmt.Println(<-c.heard)
	<-c.Done()
}
