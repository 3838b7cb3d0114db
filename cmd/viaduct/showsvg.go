package main

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
)

// Sizes of the picture, in its units.
const (
	svgWidth = 960
	svgHere  = 270 // where the line of the side that has recorded runs
	svgThere = 830
	svgRow   = 26
	svgTop   = 70 // of a link, down to its first row
	svgBar   = 8  // width of what stands for a call that is being handled
	svgRows  = 2000
	svgLabel = 66 // characters between the lines
)

const svgStyle = `
svg { background: #ffffff; font: 12px system-ui, sans-serif; --fg: #1f2328; --dim: #656d76; --line: #d0d7de; --call: #0969da; --reply: #1a7f37; --bad: #cf222e; --wait: #9a6700; --bar: #ddf4ff }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; --fg: #e6edf3; --dim: #8b949e; --line: #30363d; --call: #58a6ff; --reply: #3fb950; --bad: #ff7b72; --wait: #d29922; --bar: #12304f } }
text { fill: var(--fg) } .dim { fill: var(--dim) } .time { fill: var(--dim); font-variant-numeric: tabular-nums; text-anchor: end }
.head { font-weight: 600; text-anchor: middle } .sub { fill: var(--dim); text-anchor: middle; font-size: 11px } .label { text-anchor: middle }
.life { stroke: var(--line); stroke-width: 2 } .bar { fill: var(--bar); stroke: var(--call) } .open { stroke: var(--bad); stroke-dasharray: 4 3 }
.arrow { fill: none; stroke-width: 1.5 } .call { stroke: var(--call) } .reply { stroke: var(--reply); stroke-dasharray: 6 4 } .bad { stroke: var(--bad); stroke-dasharray: 6 4 } .wait { stroke: var(--wait) }
polygon { stroke: none } .tip-call { fill: var(--call) } .tip-reply { fill: var(--reply) } .tip-bad { fill: var(--bad) } .tip-wait { fill: var(--wait) } .text-bad { fill: var(--bad) } .text-wait { fill: var(--wait) }
`

// writeSVG draws the calls of a record, and what waited, one below the other.
func writeSVG(w io.Writer, st *story.Story, f *filter) error {
	p := &picture{story: st, y: 20}
	left := svgRows
	for _, l := range st.Links {
		if f.link == 0 || uint(l.Number) == f.link {
			left = p.link(l, f, left)
		}
	}
	if p.left > 0 {
		p.text("dim", 20, p.y, fmt.Sprintf("%d more are not drawn: -method, -id, -longer and -link choose", p.left))
		p.y += svgRow
	}
	if st.Lost > 0 || st.Err != nil || st.Full {
		p.text("text-bad", 20, p.y, "the record is not complete: viaduct show says where")
		p.y += svgRow
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img"><title>Calls recorded on %s</title><style>%s</style>`+"\n%s</svg>\n",
		svgWidth, p.y, st.Begin.UTC().Format("2006-01-02 at 15:04:05 UTC"), svgStyle, p.b.String())
	return err
}

// picture is what is drawn.
type picture struct {
	story *story.Story
	b     strings.Builder
	y     int // where the next row is
	left  int // rows that were not drawn
}

// svgCall is a call that is being handled, in the picture.
type svgCall struct {
	y, depth int
}

// link draws a link with so many rows at most, and returns how many are left.
func (p *picture) link(l *story.Link, f *filter, most int) int {
	var events []*story.Event
	for _, e := range p.story.Events {
		if e.Link == l && isDrawn(e) && f.wants(e) {
			if len(events) == most {
				p.left++
				continue
			}
			events = append(events, e)
		}
	}
	i := &l.Info
	for _, x := range []struct {
		at        int
		who, side string
	}{{svgHere, l.Here(), sideText(&i.Here, "")}, {svgThere, l.There(), sideText(&i.There, i.Program)}} {
		p.text("head", x.at, p.y+10, x.who)
		p.text("sub", x.at, p.y+26, cut(x.side, 60))
	}
	p.text("dim", 20, p.y+10, fmt.Sprintf("link %d", l.Number))
	top := p.y + 34
	p.y += svgTop
	bottom := p.y + len(events)*svgRow
	for _, x := range []int{svgHere, svgThere} {
		fmt.Fprintf(&p.b, `<line class="life" x1="%d" y1="%d" x2="%[1]d" y2="%d"/>`+"\n", x, top, bottom)
	}
	p.bars(events, bottom)
	for _, e := range events {
		p.row(e)
		p.y += svgRow
	}
	p.y += svgRow
	return most - len(events)
}

// isDrawn reports whether e has a row.
func isDrawn(e *story.Event) bool {
	switch e.What {
	case story.CallMade, story.Answer, story.Failure, story.Notified, story.Cancelled, story.Aborted,
		story.OutOfCredit, story.WriteBlocked, story.Opened, story.Accepted, story.StreamEnds, story.Reset, story.Shutdown, story.Bye:
		return true
	}
	return false
}

// bars draws what stands for the time of each call, beside the line of who handles it.
func (p *picture) bars(events []*story.Event, bottom int) {
	open := make(map[*story.Call]svgCall)
	depth := make(map[bool]map[int]bool) // of each side, which are taken
	depth[false], depth[true] = make(map[int]bool), make(map[int]bool)
	draw := func(c *story.Call, s svgCall, end int, class string) {
		x := svgThere + s.depth*(svgBar+2) - svgBar/2
		if !c.Out {
			x = svgHere - s.depth*(svgBar+2) - svgBar/2
		}
		fmt.Fprintf(&p.b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="2"><title>%s</title></rect>`+"\n",
			class, x, s.y, svgBar, max(end-s.y, 4), label(c.Method+", "+fateText(c), 200))
	}
	var order []*story.Call
	for i, e := range events {
		y := p.y + i*svgRow
		switch {
		case e.What == story.CallMade && !e.Call.Aborted:
			d := 0
			for depth[e.Out][d] {
				d++
			}
			depth[e.Out][d] = true
			open[e.Call] = svgCall{y, d}
			order = append(order, e.Call)
		case e.Call != nil && e.Call.Reply == e:
			if s, ok := open[e.Call]; ok {
				draw(e.Call, s, y, "bar")
				delete(open, e.Call)
				delete(depth[e.Call.Out], s.depth)
			}
		}
	}
	for _, c := range order {
		if s, ok := open[c]; ok {
			draw(c, s, bottom, "bar open")
		}
	}
}

// row draws an event.
func (p *picture) row(e *story.Event) {
	p.text("time", 110, p.y+4, fmt.Sprintf("%.6f s", e.At.Seconds()))
	from, to := svgHere+svgBar, svgThere-svgBar
	if !e.Out {
		from, to = to, from
	}
	text, class, labelClass := oneLine(e.Method), "call", "label"
	switch e.What {
	case story.CallMade:
		text = fmt.Sprintf("%s  #%d, %s%s", text, e.ID, bytesText(e.Size), contentText(e))
		if !e.Call.Answered && !e.Call.Link.Gap {
			text, labelClass = text+"  never answered", "label text-bad"
		}
	case story.Answer:
		class, text = "reply", fmt.Sprintf("%s  #%d, %s, %s%s", text, e.ID, bytesText(e.Size), tookText(e.Took), contentText(e))
	case story.Failure:
		class, labelClass = "bad", "label text-bad"
		text = fmt.Sprintf("%s  #%d fails, %s%s", text, e.ID, tookText(e.Took), contentText(e))
	case story.OutOfCredit, story.WriteBlocked:
		x := svgHere
		if !e.Out {
			x = svgThere
		}
		fmt.Fprintf(&p.b, `<line class="arrow wait" x1="%d" y1="%d" x2="%d" y2="%[2]d"/>`+"\n", x-12, p.y, x+12)
		p.text("label text-wait", (svgHere+svgThere)/2, p.y+4, eventText(e))
		return
	default:
		text = cut(eventText(e), svgLabel)
	}
	fmt.Fprintf(&p.b, `<g><title>%s</title><line class="arrow %s" x1="%d" y1="%d" x2="%d" y2="%[4]d"/>`, label(eventText(e), 400), class, from, p.y, to)
	tip := 7
	if from > to {
		tip = -7
	}
	fmt.Fprintf(&p.b, `<polygon class="tip-%s" points="%d,%d %d,%d %d,%d"/></g>`+"\n", class, to, p.y, to-tip, p.y-4, to-tip, p.y+4)
	p.text(labelClass, (svgHere+svgThere)/2, p.y-5, text)
}

func tookText(d time.Duration) string { return "after " + spanText(d) }

func (p *picture) text(class string, x, y int, text string) {
	fmt.Fprintf(&p.b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, label(text, svgLabel+14))
}

// label is text as it may stand in the picture.
func label(text string, most int) string { return html.EscapeString(cut(oneLine(text), most)) }

// cut returns text with so many characters at most.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
