// Package chart draws the rows of a report as pictures, which can be read on a light ground and on
// a dark one.
package chart

import (
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/report"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// Write writes a picture for each of the report's plots that has rows.
func Write(r *report.Report, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	foot := r.Date.Format("2006-01-02") + ", " + r.Machine.Short()
	for _, p := range suite.Plots {
		rows := r.In(p.Name)
		if len(rows) == 0 {
			continue
		}
		pic := newPicture(p.Title, foot, rows)
		if err := save(filepath.Join(dir, p.Name+".svg"), p.Title, pic.draw()); err != nil {
			return err
		}
	}
	return nil
}

// The measures of a picture.
const (
	margin     = vg.Length(12)
	titleSpace = vg.Length(24) // of its title, and what is below it
	footSpace  = vg.Length(16)
	barPitch   = vg.Length(18) // from one bar to the next
	panelWidth = vg.Length(165)
	panelGap   = vg.Length(14)
	nameGap    = vg.Length(6) // between a name and its bar
)

// picture is a panel for each row, side by side, with the contenders' names at the left.
type picture struct {
	title, foot string
	names       []string
	panels      []*panel

	namesWidth, headHeight vg.Length
}

func newPicture(title, foot string, rows []*report.Row) *picture {
	pic := &picture{title: title, foot: foot}
	for _, name := range contender.Names() {
		if slices.ContainsFunc(rows, func(r *report.Row) bool { return r.Figure(name) != nil }) {
			pic.names = append(pic.names, name)
			pic.namesWidth = max(pic.namesWidth, plain.Width(name)+nameGap)
		}
	}
	for _, row := range rows {
		p := newPanel(row)
		pic.panels = append(pic.panels, p)
		pic.headHeight = max(pic.headHeight, p.headHeight())
	}
	return pic
}

func (pic *picture) draw() *vgsvg.Canvas {
	n := vg.Length(len(pic.panels))
	width := 2*margin + max(pic.namesWidth+n*panelWidth+(n-1)*panelGap, bold.Width(pic.title), small.Width(pic.foot))
	height := 2*margin + titleSpace + pic.headHeight + barPitch*vg.Length(len(pic.names)) + footSpace
	svg := vgsvg.New(width, height)
	c := draw.New(svg)
	c.FillText(bold, vg.Point{X: margin, Y: height - margin}, pic.title)
	c.FillText(small, vg.Point{X: margin, Y: margin}, pic.foot)
	top := height - margin - titleSpace - pic.headHeight // of the bars
	for i, name := range pic.names {
		y := top - barPitch*(vg.Length(i)+0.5)
		c.FillText(right, vg.Point{X: margin + pic.namesWidth - nameGap, Y: y}, name)
		for k, p := range pic.panels {
			p.bar(c, name, vg.Point{X: pic.left(k), Y: y})
		}
	}
	for k, p := range pic.panels {
		p.head(c, vg.Point{X: pic.left(k), Y: top + pic.headHeight})
	}
	return svg
}

// left returns where the bars of a panel begin.
func (pic *picture) left(panel int) vg.Length {
	return margin + pic.namesWidth + vg.Length(panel)*(panelWidth+panelGap)
}
