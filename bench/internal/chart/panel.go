package chart

import (
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/viaduct-go/viaduct/bench/internal/report"
)

// panel draws a row as bars, one below the other.
type panel struct {
	row    *report.Row
	lines  []string // of its title
	better string   // which figures are
	scale  vg.Length
}

// The measures of a panel.
const (
	lineHeight = vg.Length(11)
	headGap    = vg.Length(5) // between the title and the bars
	halfBar    = barPitch * 0.34
	labelGap   = vg.Length(4)
)

func newPanel(row *report.Row) *panel {
	p := &panel{row: row, better: row.Unit + ", higher is better"}
	if row.Lower {
		p.better = row.Unit + ", lower is better"
	}
	line := ""
	for word := range strings.FieldsSeq(row.Title) {
		if longer := strings.TrimSpace(line + " " + word); upper.Width(longer) <= panelWidth {
			line = longer
			continue
		}
		p.lines = append(p.lines, line)
		line = word
	}
	p.lines = append(p.lines, line)
	// The longest bar and its figure are as wide as the panel.
	for _, f := range row.Figures {
		end := max(f.Value.Median, f.Value.Q3)
		if room := panelWidth - labelGap - plain.Width(report.Number(f.Value.Median)); end > 0 {
			if scale := room / vg.Length(end); p.scale == 0 || scale < p.scale {
				p.scale = scale
			}
		}
	}
	return p
}

func (p *panel) headHeight() vg.Length {
	return lineHeight*vg.Length(len(p.lines)+1) + headGap
}

// head writes the title from a point downwards.
func (p *panel) head(c draw.Canvas, at vg.Point) {
	for _, line := range p.lines {
		c.FillText(upper, at, line)
		at.Y -= lineHeight
	}
	c.FillText(under, at, p.better)
}

// bar draws a contender's bar to the right of a point, a line over the middle half of its rounds,
// and its figure.
func (p *panel) bar(c draw.Canvas, contender string, at vg.Point) {
	f := p.row.Figure(contender)
	if f == nil {
		c.FillText(plain, vg.Point{X: at.X + labelGap, Y: at.Y}, "-")
		return
	}
	x := func(v float64) vg.Length { return at.X + vg.Length(max(v, 0))*p.scale }
	fill := theirs
	if strings.HasPrefix(contender, "viaduct") {
		fill = ours
	}
	end := x(f.Value.Median)
	c.FillPolygon(fill, []vg.Point{
		{X: at.X, Y: at.Y - halfBar}, {X: end, Y: at.Y - halfBar}, {X: end, Y: at.Y + halfBar}, {X: at.X, Y: at.Y + halfBar},
	})
	if len(f.Rounds) > 1 {
		line := draw.LineStyle{Color: spread, Width: vg.Points(1.2)}
		c.StrokeLines(line, []vg.Point{{X: x(f.Value.Q1), Y: at.Y}, {X: x(f.Value.Q3), Y: at.Y}})
		end = max(end, x(f.Value.Q3))
	}
	c.FillText(plain, vg.Point{X: end + labelGap, Y: at.Y}, report.Number(f.Value.Median))
}
