package main

import (
	"cmp"
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

	"github.com/viaduct-go/viaduct"
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
			c.trials = cmp.Or(map[string]int{"lies": 20, "exhaust": 12, "order": 12, "soak": 4}[c.name], 30)
			trials := newTrials(c, 1)
			c.run(trials)
			row := trials.row(0)
			require.Zero(t, row.bad(), "%v", row)
			require.NotZero(t, row.Trials)
			require.NotEmpty(t, row.Figures)
		})
	}
}

// TestForAll: the copy of a program can be run by everybody, whoever may read the one it is of.
func TestForAll(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	require.NoError(t, os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o700))
	path, remove, err := forAll(mine)
	require.NoError(t, err)
	for _, name := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.EqualValues(t, 0o755, info.Mode().Perm(), name)
	}
	remove()
	require.NoDirExists(t, filepath.Dir(path))
	_, _, err = forAll(mine + "-missing")
	require.ErrorIs(t, err, os.ErrNotExist)
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
		"fire":   `there is no campaign "fire": one of kill, cut, flip, frames, flip-sums, frames-sums, lies, exhaust, order, soak was expected`,
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

// TestLies: there are many, each by a name of its own in its group, and each does something.
func TestLies(t *testing.T) {
	names := make(map[string]bool)
	for _, l := range allLies() {
		name := l.group + ": " + l.name
		require.False(t, names[name], name)
		names[name] = true
		require.True(t, l.hello != nil || l.say != nil || l.onFrame != nil || l.miser || l.then != asks, name)
	}
	require.Greater(t, len(names), 80)
	var orders [2][]string
	for i := range orders {
		for _, l := range allLies() {
			orders[i] = append(orders[i], l.name)
		}
	}
	require.Equal(t, orders[0], orders[1], "parent and child mean the same by a number")
	require.Equal(t, "refused or harmless", (refused | harmless).String())
}

// TestSuffered: the worst outcome counts, and an error of an unknown kind is a finding.
func TestSuffered(t *testing.T) {
	a, b := rpcpipe.Pair(nil, nil)
	defer b.Close()
	s := new(Suffered)
	s.note(nil, a, failed)
	require.Equal(t, harmless, s.Outcome)
	s.note(context.DeadlineExceeded, a, failed)
	require.Equal(t, late, s.Outcome)
	s.note(rpc.ServerError("no"), a, failed)
	require.Equal(t, failed, s.Outcome)
	require.Empty(t, s.Found)
	a.Close()
	s.note(errors.New("a new one"), a, failed)
	require.Equal(t, ended, s.Outcome)
	require.Equal(t, []Finding{{"unknown error", "*errors.errorString: a new one"}}, s.Found)
	require.Equal(t, "context deadline exceeded", s.Error)
}

// TestCompare: what callers were told, and what children have recorded, that does not fit together.
func TestCompare(t *testing.T) {
	const journal = "b 0\nd 0\nb 1\nb 1\nd 1\nb 2\nb 3\nb 9\nd 9\n"
	for _, kills := range []bool{false, true} {
		o := &orderly{
			trials: newTrials(campaign{}, 1), of: orderOf{kills: kills}, journal: filepath.Join(t.TempDir(), "j"),
			outcomes: map[int]error{0: nil, 1: nil, 2: viaduct.ErrNotBegun, 3: rpc.ErrShutdown, 4: nil, 5: viaduct.ErrNotBegun},
		}
		require.NoError(t, os.WriteFile(o.journal, []byte(journal), 0o600))
		o.compare()
		bad := 5 // begun twice; begun, and said not to be; lost; succeeded and not done; made by nobody
		if kills {
			bad-- // lost with a child
			require.Equal(t, 1, o.figures["ended with their child"])
		}
		require.Equal(t, map[string]int{"wrong answer": bad}, o.counts)
		require.Equal(t, 1, o.figures["done once, and said so"])
		require.Equal(t, 1, o.figures["never begun, and said so"])
	}
	_, _, err := readJournal([]byte("b 1\nd x\n"))
	require.ErrorContains(t, err, "d x")
}
