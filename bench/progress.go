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
	bar *progressbar.ProgressBar // nil before it begins, and if there is no terminal
}

func newProgress(out *os.File) *progress { return &progress{out: out} }

// begin begins a bar of so many steps.
func (p *progress) begin(steps int) {
	if steps == 0 || !term.IsTerminal(int(p.out.Fd())) {
		return
	}
	p.bar = progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
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

// line shows a line, before the bar begins or in its place.
func (p *progress) line(text string) { fmt.Fprintln(p.out, text) }

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar.Clear()
	}
}
