package affinity

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStart(t *testing.T) {
	cpus, err := Pick(1)
	require.NoError(t, err)
	require.Len(t, cpus, 1)
	cmd := exec.Command("nproc")
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, Start(cmd, cpus))
	require.NoError(t, cmd.Wait())
	require.Equal(t, "1\n", out.String())
}

func TestPick(t *testing.T) {
	all, err := Pick(1 << 20)
	require.NoError(t, err)
	two, err := Pick(2)
	require.NoError(t, err)
	require.Equal(t, all[:min(2, len(all))], two)
}
