package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"
)

// TestKinds: of a stack the frame nearest to the top that is known decides.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ stack, want string }{ // from the top
		{"internal/runtime/syscall/linux.Syscall6 syscall.write os.(*File).Write", "system calls"},
		{"internal/runtime/syscall/linux.Syscall6 runtime.netpoll runtime.findRunnable runtime.schedule runtime.mcall", "system calls"},
		{"runtime.casgstatus runtime.schedule runtime.park_m runtime.mcall", "scheduler, locks, channels"},
		{"runtime.memclrNoHeapPointers runtime.mallocgc runtime.makeslice reflect.Value.call net/rpc.(*service).call", "memory"},
		{"reflect.funcLayout reflect.Value.call net/rpc.(*service).call", "net/rpc and its call of the method"},
		{"runtime.mapaccess1_fast32 " + module + "internal/endpoint.(*Endpoint).reply " + module + "duplex.(*Lane).hand", "calls"},
		{module + "procspawn/internal/pipes.readPipe " + module + "duplex.(*reader).run", "frames, pipes"},
		{"reflect.Value.Field " + module + "internal/body.decodeValue " + module + "internal/endpoint.(*Endpoint).result", "values and messages"},
		{"runtime.memmove " + module + "bench/internal/work.NewBytes main.main runtime.main", "the benchmark"},
		{"runtime.memmove example.org/a.B", other},
	} {
		s := &profile.Sample{}
		for name := range strings.FieldsSeq(c.stack) {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		require.Equal(t, c.want, kindOf(s), c.stack)
	}
}

// TestText profiles this process as if it were both.
func TestText(t *testing.T) {
	name := filepath.Join(t.TempDir(), "work.mode.who")
	require.NoError(t, os.WriteFile(name+".child.pprof", []byte("of an earlier run"), 0o666))
	t.Setenv(variable, "") // is put back when the test is over
	stop, err := Parent(name)
	require.NoError(t, err)
	require.NoFileExists(t, name+".child.pprof")
	require.NoError(t, os.WriteFile(name+".child.pprof", nil, 0o666)) // of a child that was killed
	another, err := Child()
	require.NoError(t, err)
	require.NoError(t, another()) // the first one is there
	require.NoError(t, stop())
	require.NoFileExists(t, name+".child.pprof")

	var text strings.Builder
	require.NoError(t, Text(&text, filepath.Dir(name)))
	if text.Len() > 0 { // there was a sample
		require.Contains(t, text.String(), "work.mode.who: processor time, % of both processes'\n")
	}
	require.NoError(t, os.WriteFile(name+".child.pprof", []byte("no profile"), 0o666))
	require.ErrorContains(t, Text(&text, filepath.Dir(name)), "work.mode.who.child.pprof: ")

	text.Reset()
	require.NoError(t, table(&text, "a.b.c", map[string]int64{"clock": 10, other: 20}, map[string]int64{"calls": 70}))
	require.Regexp(t, `(?m)^ +clock +10\.0 +0\.0$`, text.String())
	require.Regexp(t, `(?m)^ +all else +20\.0 +0\.0$`, text.String())
	require.Regexp(t, `(?m)^ +calls +0\.0 +70\.0$`, text.String())
	text.Reset()
	require.NoError(t, table(&text, "a.b.c", map[string]int64{"clock": 10}, nil))
	require.Regexp(t, `(?m)^ +clock +100\.0 +\?$`, text.String())
}

// TestNone: without a name nothing is written.
func TestNone(t *testing.T) {
	t.Setenv(variable, "")
	for _, begin := range []func() (func() error, error){Child, func() (func() error, error) { return Parent("") }} {
		stop, err := begin()
		require.NoError(t, err)
		require.NoError(t, stop())
	}
}
