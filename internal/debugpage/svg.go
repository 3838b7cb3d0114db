package debugpage

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

const (
	chartHeight = 22

	barWidth  = 4
	firstBar  = 9  // 512 ns, and all that is shorter
	lastBar   = 36 // from 69 s on
	histWidth = (lastBar - firstBar + 1) * barWidth

	secondWidth = 2
)

// histogramSVG draws how durations are distributed: a bar for each power of two. Heights are
// logarithms, so that a single call that was slow can be seen beside a million.
func histogramSVG(m *Method) template.HTML {
	bars := make([]uint64, lastBar-firstBar+1)
	top := 0.0
	for i, n := range m.Histogram {
		bar := &bars[min(max(i, firstBar), lastBar)-firstBar]
		*bar += n
		top = max(top, math.Log1p(float64(*bar)))
	}
	var path strings.Builder
	for i, n := range bars {
		if n == 0 {
			continue
		}
		height := max(2, int(math.Round(math.Log1p(float64(n))/top*chartHeight)))
		fmt.Fprintf(&path, "M%d %dh%dv%dh-%dz", i*barWidth, chartHeight-height, barWidth-1, height, barWidth-1)
	}
	label := fmt.Sprintf("latency from 0.5 µs to 69 s: half up to %s, 99 %% up to %s, the longest %s", duration(m.P50), duration(m.P99), duration(m.Max))
	return chart(histWidth, label, `<path class="bars" d="`+path.String()+`"/>`)
}

// recentSVG draws how many calls ended in each of the last seconds.
func recentSVG(m *Method) template.HTML {
	top := uint32(1)
	for _, n := range m.Recent {
		top = max(top, n)
	}
	width := max(1, len(m.Recent)) * secondWidth
	var path strings.Builder
	fmt.Fprintf(&path, "M0 %d", chartHeight)
	last := 0
	for _, n := range m.Recent {
		height := int(math.Ceil(float64(n) / float64(top) * (chartHeight - 1)))
		if height != last {
			fmt.Fprintf(&path, "v%d", last-height)
			last = height
		}
		fmt.Fprintf(&path, "h%d", secondWidth)
	}
	fmt.Fprintf(&path, "v%dz", last)
	label := fmt.Sprintf("the last %d seconds: %s a second, at most %d", len(m.Recent), rate(m.Rate), top)
	if path := path.String(); !strings.Contains(path, "-") { // there are none
		label = fmt.Sprintf("none in the last %d seconds", len(m.Recent))
	}
	return chart(width, label, `<path class="area" d="`+path.String()+`"/>`)
}

// chart returns an SVG of this width. Its parts are numbers and texts of this package alone.
func chart(width int, label, inner string) template.HTML {
	return template.HTML(fmt.Sprintf(
		`<svg role="img" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d"><title>%s</title><path class="axis" d="M0 %d.5h%[1]d"/>%[5]s</svg>`,
		width, chartHeight+1, template.HTMLEscapeString(label), chartHeight, inner))
}
