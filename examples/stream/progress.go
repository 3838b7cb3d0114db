package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows on stderr how far a copy is, and how small calls fare: as a
// bar on a terminal, otherwise as a line for each quarter. It counts what is
// written to it.
type progress struct {
	title string
	total int64
	done  int64
	calls *smallCalls
	bar   *progressbar.ProgressBar // nil if stderr is no terminal
	shown time.Time                // when calls were last shown beside the bar
}

func newProgress(title string, total int64, calls *smallCalls) *progress {
	p := &progress{title: title, total: total, calls: calls}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(title),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

func (p *progress) Write(b []byte) (int, error) {
	before := p.done
	p.done += int64(len(b))
	if p.bar == nil {
		if p.done*4/p.total > before*4/p.total {
			fmt.Fprintf(os.Stderr, "%s: %d of %d MiB, %s\n", p.title, p.done>>20, p.total>>20, p.calls)
		}
		return len(b), nil
	}
	if time.Since(p.shown) > 100*time.Millisecond || p.done == p.total {
		p.bar.Describe(fmt.Sprintf("%s, %s", p.title, p.calls))
		p.shown = time.Now()
	}
	return len(b), p.bar.Add(len(b))
}

// end leaves the bar where it is and goes to the next line.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Exit()
		fmt.Fprintln(os.Stderr)
	}
}
