package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// progress shows how far the comparison is: as a bar on a terminal, otherwise as a line for each
// row.
type progress struct {
	out *os.File
	bar *progressbar.ProgressBar // nil if there is no terminal
}

func newProgress(out *os.File, steps int) *progress {
	p := &progress{out: out}
	if term.IsTerminal(int(out.Fd())) {
		p.bar = progressbar.NewOptions(steps,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription("start"),
			progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return p
}

// event shows a step, or what came of a row. With a bar that is shown at the end alone.
func (p *progress) event(e suite.Event) {
	switch {
	case p.bar == nil && e.Row != "":
		p.line(report.Line(e.Row, e.Figures))
	case p.bar != nil && e.Step != "":
		p.bar.Describe(fmt.Sprintf("%-16s", e.Step))
		p.bar.Add(1)
	}
}

// line shows a line.
func (p *progress) line(text string) {
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintln(p.out, text)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar.Clear()
	}
}
