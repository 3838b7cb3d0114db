package procspawn

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The env helper prints its environment, but for what the system adds.
var _ = helper("env", func([]string) {
	connect(nil)
	for _, v := range os.Environ() {
		if runtime.GOOS != "windows" || len(v) < 2 || v[1] == '=' || strings.HasPrefix(v, "ENVTEST_") {
			fmt.Fprintln(os.Stderr, v)
		}
	}
})

func TestEnv(t *testing.T) {
	t.Setenv("ENVTEST_ONE", "1")
	t.Setenv("ENVTEST_TWO", "2=2")
	for _, tt := range []struct {
		rules, env, want []string
	}{
		{[]string{}, nil, nil},
		{[]string{"ENVTEST_ONE"}, nil, []string{"ENVTEST_ONE=1"}},
		{[]string{"ENVTEST_*"}, nil, []string{"ENVTEST_ONE=1", "ENVTEST_TWO=2=2"}},
		{[]string{"ENVTEST_O", "NO_SUCH"}, nil, nil},
		{[]string{"ENVTEST_TWO", "ENVTEST_NEW=a=b"}, nil, []string{"ENVTEST_NEW=a=b", "ENVTEST_TWO=2=2"}},
		{[]string{"ENVTEST_ONE=x", "ENVTEST_*"}, nil, []string{"ENVTEST_ONE=x", "ENVTEST_TWO=2=2"}},
		{[]string{"A", "ENVTEST_ONE"}, []string{"A=1", "B=2"}, []string{"A=1"}},
		{[]string{"*"}, []string{"A=1", "B=2"}, []string{"A=1", "B=2"}},
		{nil, []string{"A=1"}, []string{"A=1"}},
	} {
		cmd := selfCmd("env")
		cmd.Env = tt.env
		p := startChild(t, cmd, &Options{Env: tt.rules})
		<-p.Done()
		got := strings.Fields(string(p.Exit().Stderr))
		slices.Sort(got)
		assert.Equal(t, tt.want, append([]string(nil), got...), "%q", tt.rules)
		assert.Equal(t, tt.env, cmd.Env) // as it was
	}
	for _, rule := range []string{"", "A*B", "*A", "=x", "A\x00"} {
		_, err := Start(t.Context(), exec.Command("true"), &Options{Env: []string{rule}})
		require.ErrorContains(t, err, "NAME, PREFIX* or NAME=value was expected")
	}
}
