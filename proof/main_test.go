package main

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() {
		child(os.Args[1:])
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // or children sleep when they exit
	os.Exit(m.Run())
}

// TestCampaigns: a few trials of each campaign find nothing, and do something.
func TestCampaigns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it runs on Linux alone")
	}
	for _, c := range campaigns {
		t.Run(c.name, func(t *testing.T) {
			c.trials = 40
			if c.name == "soak" {
				c.trials = 6
			}
			trials := newTrials(c, 1)
			c.run(trials)
			row := trials.row(0)
			require.Zero(t, row.bad(), "%v", row)
			require.NotZero(t, row.Trials)
			require.NotEmpty(t, row.Figures)
		})
	}
}

// TestChoose: campaigns by their names, and errors that say what was expected.
func TestChoose(t *testing.T) {
	all, err := choose(nil)
	require.NoError(t, err)
	require.Len(t, all, len(campaigns))
	two, err := choose([]string{"soak:3600", "cut"})
	require.NoError(t, err)
	require.Equal(t, "soak", two[0].name)
	require.Equal(t, 3600, two[0].trials)
	require.Equal(t, "cut", two[1].name)
	require.Zero(t, two[1].trials)
	for arg, want := range map[string]string{
		"fire":   `there is no campaign "fire": one of kill, cut, flip, frames, flip-sums, frames-sums, lies, soak was expected`,
		"kill:":  `"kill:": a number of trials, from 1, was expected`,
		"kill:x": `"kill:x": a number of trials`,
		"cut:0":  `"cut:0": a number of trials, from 1,`,
	} {
		_, err := choose([]string{arg})
		require.ErrorContains(t, err, want)
	}
}

// TestFindings: what goes wrong is counted, shown, and in the table.
func TestFindings(t *testing.T) {
	trials := newTrials(campaign{name: "x", what: "something", trials: 9, run: nil}, 7)
	for range 9 {
		trials.found("hang", "it hangs")
		trials.next()
	}
	trials.figures["things"] = 1234
	r := newResult(7)
	r.Campaigns = []row{trials.row(0)}
	require.Equal(t, 9, r.bad())
	require.Len(t, r.Campaigns[0].Shown["hang"], shown)
	require.Contains(t, r.Campaigns[0].String(), "trial 4: it hangs")
	dir := t.TempDir()
	require.NoError(t, r.write(filepath.Join(dir, "j"), filepath.Join(dir, "m")))
	b, err := os.ReadFile(filepath.Join(dir, "m"))
	require.NoError(t, err)
	require.Contains(t, string(b), "| x | something | 9 | 9 | 0 | 0 | 0 | 0 | 1,234 things |")
	require.Contains(t, string(b), "seed 7")
	b, err = os.ReadFile(filepath.Join(dir, "j"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(b), "{\n\t\"Date\": "))
}

// liar answers wrongly.
type liar struct{}

func (liar) Echo(arg Data, reply *Data) error { reply.N = arg.N + 1; return nil }

// TestLoadSees: a wrong answer, and an error of an unknown kind, are findings.
func TestLoadSees(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("Service", liar{}))
	a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	defer a.Close()
	defer b.Close()
	require.ErrorIs(t, echo(a, 1, 10), errWrong)
	l := &load{failed: make(map[string]int), samples: make(map[string]error)}
	l.note(echo(a, 1, 10))
	l.note(errors.New("a new one"))
	l.note(rpc.ErrShutdown)
	l.note(nil)
	trials := newTrials(campaign{}, 1)
	l.report(trials)
	require.Equal(t, map[string]int{"wrong answer": 1, "unknown error": 1}, trials.counts)
	require.Equal(t, 1, trials.figures["operations done"])
	for _, err := range []error{rpc.ErrShutdown, new(procspawn.Exit), context.Canceled, io.ErrUnexpectedEOF} {
		require.True(t, known(err))
	}
	require.False(t, known(io.EOF))
}
