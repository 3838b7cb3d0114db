// Command moved takes programs that others have written over net/rpc, has them use viaduct, and runs
// their own tests before and after.
//
//	go run -C proof ./moved                # all moves
//	go run -C proof ./moved delve          # one
//	go run -C proof ./moved -runs 5 delve  # with more runs of each side
//
// The programs come through the Go module proxy, in fixed versions. They are copied to a temporary
// directory, changed there by the patches in proof/moved/patches, and built with this checkout of
// viaduct.
//
// Each side's tests run as often as -runs says. A test that has failed in any of these runs then runs
// alone, on both sides, as often as -again says. The exit status is 1 if a move has broken a test:
// one that has never failed before and has failed after, or that is not run any more. The tests of
// go-plugin that lose a race of its own (see moves.go) count as broken if they lose it every time.
//
// It needs Go, git and the network. delve's tests debug processes, so they want a Linux, macOS or
// Windows that lets them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	broken, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "moved:", err)
	}
	if err != nil || broken {
		stop()
		os.Exit(1)
	}
}

// run makes the moves that the command line names, and returns whether one has broken a test.
func run(ctx context.Context) (broken bool, err error) {
	runs := flag.Int("runs", 2, "how often the tests of each side run")
	again := flag.Int("again", 20, "how often a test that has failed runs alone, on each side")
	limit := flag.Duration("timeout", time.Hour, "for a run of a side's tests")
	keep := flag.String("keep", "", "work in `DIR`, which must not exist, and leave it there, with what go test has printed")
	flag.Usage = usage
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		return false, err
	}
	if *runs < 1 || *again < 0 {
		return false, fmt.Errorf("-runs is %d and -again %d: there must be a run at least, and no fewer than none again", *runs, *again)
	}
	work, err := workDir(*keep)
	if err != nil {
		return false, err
	}
	if *keep == "" {
		defer os.RemoveAll(work)
	}
	w := &workshop{dir: work, runs: *runs, again: *again, limit: *limit, out: os.Stdout, before: make(map[string]*side)}
	if w.root, err = checkout(ctx); err != nil {
		return false, err
	}
	version, err := command(ctx, w.root, "git", "describe", "--always", "--dirty")
	if err != nil {
		version = []byte("an unknown commit")
	}
	fmt.Printf("viaduct at %s, %s %s/%s\n", strings.TrimSpace(string(version)), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, m := range chosen {
		c, err := w.move(ctx, m)
		if err != nil {
			return broken, fmt.Errorf("%s: %w", m.name, err)
		}
		c.print(os.Stdout)
		broken = broken || len(c.broken()) > 0
	}
	return broken, nil
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, "usage: go run -C proof ./moved [flags] [move]...\n\nWithout names all are made.\n\nmoves:")
	for _, m := range moves {
		fmt.Fprintf(out, "  %-15s %s: %s@%s\n", m.name, m.what, m.module, m.version)
	}
	fmt.Fprintln(out, "\nflags:")
	flag.PrintDefaults()
}

// choose returns the moves of these names, or all.
func choose(names []string) ([]move, error) {
	if len(names) == 0 {
		return moves, nil
	}
	var chosen []move
	for _, name := range names {
		i := slices.IndexFunc(moves, func(m move) bool { return m.name == name })
		if i < 0 {
			var known []string
			for _, m := range moves {
				known = append(known, m.name)
			}
			return nil, fmt.Errorf("there is no move %q: give some of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, moves[i])
	}
	return chosen, nil
}

// workDir makes the directory to work in.
func workDir(keep string) (string, error) {
	if keep == "" {
		return os.MkdirTemp("", "viaduct-moved-")
	}
	if err := os.Mkdir(keep, 0o777); err != nil {
		return "", fmt.Errorf("-keep: %w", err)
	}
	return filepath.Abs(keep)
}

// checkout returns where viaduct lies. The command runs in its module proof, or below.
func checkout(ctx context.Context) (string, error) {
	dir, err := command(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/viaduct-go/viaduct")
	return strings.TrimSpace(string(dir)), err
}

// command runs a program and returns what it has printed.
func command(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	// No workspace and no flags of the user's; a patch is for this directory, not for a repository
	// that it lies in.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, said.String(), out)
	}
	return out, err
}

// say prints what is going on, which may take long.
func say(out io.Writer, format string, args ...any) {
	fmt.Fprintf(out, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
