package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFlagErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-fast", "flag provided but not defined: -fast; -help tells of all flags"},
		{"-rounds many", `invalid value "many" for flag -rounds: parse error; -help tells of all flags`},
		{"-rounds -1", "-rounds and -slice are above 0"},
		{"-slice 3", `invalid value "3" for flag -slice: parse error; -help tells of all flags`},
		{"-rows (", "invalid value \"(\" for flag -rows: error parsing regexp: missing closing ): `(`; -help tells of all flags"},
		{"quick", `"quick" is no flag; -help tells of all flags`},
		{"-from none.json", "open none.json: no such file or directory"},
		{"-profile x -gate", "-profile measures, and not for comparing: it goes with neither -from nor -gate"},
		{"-profile x -from y", "-profile measures, and not for comparing: it goes with neither -from nor -gate"},
		{"-json no/where", "open no/where: no such file or directory"},
	} {
		err := run(t.Context(), strings.Fields(c.args), io.Discard, io.Discard)
		require.EqualError(t, err, c.want, c.args)
	}
}

// TestNothingMatches: a pattern that matches nothing is an error that lists what there is.
func TestNothingMatches(t *testing.T) {
	err := run(t.Context(), []string{"-contenders", "^gop$"}, io.Discard, io.Discard)
	require.EqualError(t, err, `-contenders: none matches "^gop$"; there are bare, viaduct, viaduct-client, gob, grpc, ttrpc, yamux, drpc, go-plugin, go-plugin-grpc`)
	err = run(t.Context(), []string{"-quick", "-rows", "calls-512"}, io.Discard, io.Discard)
	require.ErrorContains(t, err, `-rows: none matches "calls-512"; there are lone.`)
	require.ErrorContains(t, err, ", size, ")
	err = run(t.Context(), []string{"-rows", "size", "-contenders", "viaduct-client"}, io.Discard, io.Discard)
	require.EqualError(t, err, "none of these contenders does the work of these rows")
}

func TestHelp(t *testing.T) {
	var usage strings.Builder
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, io.Discard, &usage), flag.ErrHelp)
	for _, name := range []string{"quick", "rounds", "slice", "rows", "contenders", "json", "svg", "markdown", "from", "gate", "profile"} {
		require.Contains(t, usage.String(), "  -"+name)
	}
}

func TestDefaults(t *testing.T) {
	full, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 15, full.rounds)
	require.Equal(t, 200*time.Millisecond, full.slice)
	require.Equal(t, 100, full.children())
	quick, err := parse([]string{"-quick", "-rounds", "5"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 5, quick.rounds)
	require.Equal(t, 30*time.Millisecond, quick.slice)
}
