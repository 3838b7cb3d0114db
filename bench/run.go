package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/chart"
	"github.com/viaduct-go/viaduct/bench/internal/gate"
	"github.com/viaduct-go/viaduct/bench/internal/profile"
	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// errInterrupted is what a signal ends with.
var errInterrupted = errors.New("interrupted")

// run does what the arguments say.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	r, err := o.report(ctx)
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := r.Write(o.json); err != nil {
			return err
		}
	}
	pictures := "performance"
	if o.svg != "" {
		pictures = filepath.Base(o.svg)
		if err := chart.Write(r, o.svg); err != nil {
			return err
		}
	}
	if o.markdown {
		err = r.Markdown(stdout, pictures)
	} else {
		err = r.Text(stdout)
		if err == nil && o.profile != "" {
			err = profile.Text(stdout, o.profile)
		}
	}
	if err == nil && o.gate {
		err = gate.Check(r, gate.Rules)
	}
	return err
}

// report measures, or reads what was measured before.
func (o *options) report(ctx context.Context) (*report.Report, error) {
	if o.from != "" {
		return report.Read(o.from)
	}
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	// What cannot be written is better known before than after.
	if o.json != "" {
		f, err := os.OpenFile(o.json, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return nil, err
		}
		f.Close()
	}
	for _, dir := range []string{o.svg, o.profile} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	return o.measure(ctx, p)
}

// measure has a worker for each mode.
func (o *options) measure(ctx context.Context, p *plan) (*report.Report, error) {
	tempDir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tempDir)
	shown := newProgress(os.Stderr)
	defer shown.end()
	if slices.ContainsFunc(p.rows, needsPrograms) {
		shown.line("building the minimal programs")
		err := build(ctx, tempDir, p.contenders)
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		if err != nil {
			p.rows = slices.DeleteFunc(p.rows, needsPrograms)
			p.missing = append(p.missing, fmt.Sprintf("The rows about processes and programs are left out: %v.", err))
		}
	}
	for _, m := range p.missing {
		shown.line(m)
	}
	r := &report.Report{
		Date: time.Now(), Machine: report.ThisMachine(), Rounds: o.rounds, Slice: o.slice.String(), Quick: o.quick,
		Versions: report.Versions(), Missing: p.missing,
	}
	specs := o.specs(p, tempDir)
	if o.profile != "" {
		specs = o.alone(specs)
	}
	steps := 0
	for _, s := range specs {
		steps += s.Steps()
	}
	shown.begin(steps)
	figures := map[string]map[string][]float64{} // by row and contender
	for _, s := range specs {
		err := work(ctx, s, tempDir, func(e suite.Event) {
			shown.event(e)
			if e.Row != "" {
				if figures[e.Row] == nil {
					figures[e.Row] = map[string][]float64{}
				}
				maps.Copy(figures[e.Row], e.Figures)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	for _, row := range p.rows {
		r.Rows = append(r.Rows, report.NewRow(row, figures[row.Name]))
	}
	return r, nil
}

func needsPrograms(r *suite.Row) bool { return r.Work.NeedsPrograms() }

// specs returns what each worker is to measure: one for each mode, and before that, where memory is
// counted, one for each contender.
func (o *options) specs(p *plan, programs string) []suite.Spec {
	var fresh, list []suite.Spec
	for _, m := range p.modes {
		s := suite.Spec{
			Mode: m, Quick: o.quick, Contenders: p.contenders, Rounds: o.rounds, Slice: o.slice,
			Children: o.children(), Programs: programs,
		}
		memory := s
		for _, row := range p.rows {
			switch {
			case row.Mode.Name != m.Name:
			case row.Work.NeedsFresh():
				memory.Rows = append(memory.Rows, row.Name)
			default:
				s.Rows = append(s.Rows, row.Name)
			}
		}
		if len(s.Rows) > 0 {
			list = append(list, s)
		}
		for _, name := range p.contenders {
			memory.Contenders = []string{name}
			if memory.Steps() > 0 {
				fresh = append(fresh, memory)
			}
		}
	}
	return append(fresh, list...)
}

// alone returns specs that measure the same, each a piece of work of one contender in processes of
// their own, with profiles.
func (o *options) alone(specs []suite.Spec) []suite.Spec {
	var list []suite.Spec
	for _, s := range specs {
		works := s.Works()
		for _, work := range slices.Sorted(maps.Keys(works)) {
			for _, name := range s.Contenders {
				one := s
				one.Contenders, one.Rows = []string{name}, works[work]
				one.Profile = filepath.Join(o.profile, fmt.Sprintf("%s.%s.%s", work, s.Mode.Name, name))
				if one.Steps() > 0 {
					list = append(list, one)
				}
			}
		}
	}
	return list
}
