//go:build linux

package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The scarce helper starts children under every limit of descriptors, from one that leaves none to
// one that is enough, and counts them after each.
var _ = helper("scarce", func([]string) {
	r, w, err := os.Pipe() // makes the poller's descriptors
	must(err)
	highest := int(w.Fd())
	closeAll(r, w)
	before := openFiles()
	var failed, started int
	for limit := highest - 1; started < 3; limit++ {
		var old unix.Rlimit
		must(unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
		must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(limit), Max: old.Max}))
		cmd := selfCmd("echo")
		cmd.Stdin, cmd.Stdout = strings.NewReader("x"), io.Discard
		p, err := Start(context.Background(), cmd, nil)
		must(unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
		var start *StartError // the child itself may have had too few
		if errors.Is(err, unix.EMFILE) || errors.As(err, &start) {
			failed++
		} else {
			must(err)
			started++
			p.Stop()
		}
		if after := openFiles(); len(after) != len(before) {
			fmt.Printf("limit %d: before %q, after %q\n", limit, before, after)
			os.Exit(1)
		}
	}
	fmt.Println("failed", failed > 4, haveChildren())
})

func TestOutOfDescriptors(t *testing.T) {
	cmd := selfCmd("scarce")
	cmd.Args = without(cmd.Args, Here)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "failed true false\n", string(out))
}
