// Command proof tries to break the promises of viaduct, and says how often it has: that nothing hangs,
// that every call ends with the right answer or an error of a known kind, and that no process,
// descriptor or goroutine is left behind.
//
//	go run -C proof .                         # all campaigns, in a few minutes
//	go run -C proof . kill:10000 soak:3600    # these two, with so many trials
//	go run -C proof . -seed 7 kill            # one, as it was with that seed
//
// Each campaign makes a number of trials, which follow from the seed; what depends on how the system
// schedules its processes is not repeated by it. What has gone wrong is printed with the number of the
// trial. The exit status is 1 if anything has.
//
// With -json FILE the result is written there, and -markdown FILE makes the table that
// docs/reliability.md shows.
//
// It runs on Linux: it looks into /proc, and adopts orphans.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A campaign is one way to try.
type campaign struct {
	name, what string
	trials     int // 0: all that there are
	run        func(*trials)
}

var campaigns = []campaign{
	{"kill", "kill -9 at a random moment of a child, or of a parent with its child, under mixed load; start and shutdown included", 400, killAll},
	{"cut", "a recorded session cut at each byte, each direction", 0, cutAll},
	{"flip", "one bit of it turned over", 4000, flipAll},
	{"frames", "each frame of it lost, doubled, or damaged", 0, framesAll},
	{"flip-sums", "one bit of it turned over, with Options.Checksum", 4000, withSums(flipAll)},
	{"frames-sums", "each frame of it lost, doubled, or damaged, with Options.Checksum", 0, withSums(framesAll)},
	{"lies", "a child that says what no peer says, at each moment it can, beside one that is honest", 0, liesAll},
	{"soak", "calls both ways, each answer checked, beside growth of memory, goroutines and descriptors: a trial is a second", 20, soak},
}

func main() {
	if rpcpipe.IsChild() {
		child(os.Args[1:])
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func run() error {
	seed := flag.Uint64("seed", 0, "what the trials follow from; 0: a new one")
	jsonFile := flag.String("json", "", "write the result to `FILE`")
	markdown := flag.String("markdown", "", "write a table to `FILE`")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run -C proof . [flags] [campaign[:trials]]...\n\nWithout campaigns all are run. Those with fewer trials than there are choose at random.\n\ncampaigns:")
		for _, c := range campaigns {
			trials := "all"
			if c.trials > 0 {
				trials = fmt.Sprint(c.trials)
			}
			fmt.Fprintf(flag.CommandLine.Output(), "  %-11s %s (%s)\n", c.name, c.what, trials)
		}
		fmt.Fprintln(flag.CommandLine.Output(), "\nflags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	if runtime.GOOS != "linux" {
		return fmt.Errorf("it looks into /proc, and runs on Linux alone; this is %s", runtime.GOOS)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	chosen, err := choose(flag.Args())
	if err != nil {
		return err
	}
	fmt.Printf("seed %d\n", *seed)
	result := newResult(*seed)
	for _, c := range chosen {
		t := newTrials(c, *seed)
		begin := time.Now()
		c.run(t)
		t.bar.Finish()
		fmt.Println()
		row := t.row(time.Since(begin))
		result.Campaigns = append(result.Campaigns, row)
		fmt.Println(row)
	}
	if err := result.write(*jsonFile, *markdown); err != nil {
		return err
	}
	if bad := result.bad(); bad > 0 {
		return fmt.Errorf("%d findings, seed %d", bad, *seed)
	}
	return nil
}

// choose returns the campaigns that args name; all, if they name none.
func choose(args []string) (chosen []campaign, err error) {
	if len(args) == 0 {
		return campaigns, nil
	}
	var names []string
	for _, c := range campaigns {
		names = append(names, c.name)
	}
	for _, arg := range args {
		name, number, isNumbered := strings.Cut(arg, ":")
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("there is no campaign %q: one of %s was expected", name, strings.Join(names, ", "))
		}
		c := campaigns[i]
		if isNumbered {
			if c.trials, err = strconv.Atoi(number); err != nil || c.trials < 1 {
				return nil, fmt.Errorf("%q: a number of trials, from 1, was expected behind the colon", arg)
			}
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

// trials are those of one campaign. They are made one after the other.
type trials struct {
	campaign
	seed     uint64
	sums     bool // sessions have checksums
	done     int
	bar      *progressbar.ProgressBar
	findings map[string][]string // by their kinds: the first few
	counts   map[string]int      // of findings, by their kinds
	figures  map[string]int      // what has happened, as it should
	notes    map[string]string   // measured
}

// kinds of findings: every campaign reports 0 of each, or more.
var kinds = []string{"hang", "wrong answer", "unknown error", "left behind", "growth"}

const shown = 5 // of findings of a kind

func newTrials(c campaign, seed uint64) *trials {
	t := &trials{
		campaign: c, seed: seed,
		findings: make(map[string][]string), counts: make(map[string]int), figures: make(map[string]int), notes: make(map[string]string),
	}
	t.expect(c.trials)
	return t
}

// expect says how many trials there will be.
func (t *trials) expect(n int) {
	t.trials = n
	t.bar = progressbar.NewOptions(n, progressbar.OptionSetDescription(fmt.Sprintf("%-11s", t.name)),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(200*time.Millisecond))
}

// sample returns which of n trials are made, if not all of them are wanted.
func (t *trials) sample(n int) []int {
	all := rand.New(rand.NewPCG(t.seed, 1<<63)).Perm(n)
	if t.trials > 0 {
		all = all[:min(n, t.trials)]
	}
	slices.Sort(all)
	t.expect(len(all))
	return all
}

// random is what the trial with number n follows from.
func (t *trials) random(n int) *rand.Rand {
	return rand.New(rand.NewPCG(t.seed, uint64(n)))
}

// next says that a trial is over.
func (t *trials) next() {
	t.done++
	t.bar.Add(1)
}

// found reports something that should not be.
func (t *trials) found(kind, format string, args ...any) {
	t.counts[kind]++
	if t.counts[kind] <= shown {
		t.findings[kind] = append(t.findings[kind], fmt.Sprintf("trial %d: %s", t.done, fmt.Sprintf(format, args...)))
	}
}
