package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/internal/tap"
)

// writeText shows a record as lines.
func writeText(w io.Writer, st *story.Story, f *filter) error {
	kind := "sizes only"
	if st.Contents {
		kind = "with contents"
	}
	fmt.Fprintf(w, "recorded on %s, %s\n", st.Begin.UTC().Format("2006-01-02 at 15:04:05.000 UTC"), kind)
	for _, e := range st.Events {
		if !f.wants(e) {
			continue
		}
		if _, err := fmt.Fprintf(w, "%12.6f  %s%s\n", e.At.Seconds(), whoText(st, e), eventText(e)); err != nil {
			return err
		}
	}
	for _, link := range st.Links {
		if !link.Ended && !st.Full && st.Err == nil {
			fmt.Fprintf(w, "link %d has no end in the record: its program was killed, or still ran\n", link.Number)
		}
	}
	return nil
}

// whoText says whose event e is.
func whoText(st *story.Story, e *story.Event) string {
	if e.Link == nil {
		return ""
	}
	who := ""
	if len(st.Links) > 1 {
		who = fmt.Sprintf("%3d  ", e.Link.Number)
	}
	from, to := sides(e)
	switch e.What {
	case story.LinkBegins, story.LinkEnds:
		return who
	}
	// The side that has recorded stands on the left.
	if e.Out {
		return fmt.Sprintf("%s%-6s -> %-6s  ", who, from, to)
	}
	return fmt.Sprintf("%s%-6s <- %-6s  ", who, to, from)
}

// sides are who has sent what e is about, and to whom.
func sides(e *story.Event) (from, to string) {
	from, to = e.Link.Here(), e.Link.There()
	if !e.Out {
		from, to = to, from
	}
	return from, to
}

// eventText says what e is, in one line.
func eventText(e *story.Event) string {
	switch e.What {
	case story.LinkBegins:
		i := &e.Link.Info
		return fmt.Sprintf("link %d: %s %s, %s %s; recorded by the %s", e.Link.Number,
			e.Link.Here(), sideText(&i.Here, ""), e.Link.There(), sideText(&i.There, i.Program), e.Link.Here())
	case story.LinkEnds:
		text := fmt.Sprintf("link %d ends", e.Link.Number)
		if e.Number > 0 {
			text += fmt.Sprintf("; the last %s from here were not sent", bytesText(e.Number))
		}
		if e.Size > 0 {
			text += fmt.Sprintf("; within a frame, of which %s have come", bytesText(e.Size))
		}
		return text
	case story.CallMade:
		return fmt.Sprintf("call #%d %s  %s  %s%s", e.ID, oneLine(e.Method), bytesText(e.Size), fateText(e.Call), contentText(e))
	case story.Answer, story.Failure:
		after := "  to a call that is not in the record"
		if e.Call != nil {
			after = "  after " + spanText(e.Took)
		}
		return fmt.Sprintf("%s #%d %s  %s%s%s", e.What, e.ID, oneLine(e.Method), bytesText(e.Size), after, contentText(e))
	case story.Notified:
		return fmt.Sprintf("notification %s  %s%s", oneLine(e.Method), bytesText(e.Size), contentText(e))
	case story.Cancelled:
		if e.Call == nil {
			return fmt.Sprintf("cancel #%d", e.ID)
		}
		return fmt.Sprintf("cancel #%d %s  after %s", e.ID, oneLine(e.Method), spanText(e.Took))
	case story.Credit:
		return fmt.Sprintf("credit for %s  %s", classText(e.Class), bytesText(e.Size))
	case story.OutOfCredit:
		return fmt.Sprintf("no credit for %s  for %s", classText(e.Class), spanText(e.Took))
	case story.WriteBlocked:
		return "write held  for " + spanText(e.Took)
	case story.Granted, story.Aborted, story.Piece:
		text := fmt.Sprintf("%s %s #%d %s", e.What, e.Class, e.ID, oneLine(e.Method))
		if e.What == story.Piece {
			text += "  " + bytesText(e.Size)
		}
		if e.Took > 0 {
			text += "  after " + spanText(e.Took)
		}
		return text
	case story.Lost:
		return fmt.Sprintf("%d records are missing here", e.Number)
	case story.Full:
		return "the file has the size that it may have: the record ends here"
	case story.Unknown:
		return fmt.Sprintf("what is not known, of %s", bytesText(e.Size))
	case story.Pong:
		return "pong  after " + spanText(e.Took)
	}
	if e.Stream != nil || strings.HasPrefix(string(e.What), "stream") {
		return streamText(e)
	}
	return string(e.What)
}

func streamText(e *story.Event) string {
	text := fmt.Sprintf("%s #%d", e.What, e.ID)
	switch e.What {
	case story.Opened, story.Accepted:
		text += "  with credit for " + bytesText(e.Size)
	case story.Data, story.StreamCredit:
		text += "  " + bytesText(e.Size)
	case story.Reset:
		text += fmt.Sprintf("  code %d", e.Number)
	}
	if st := e.Stream; st != nil && (e.What == story.StreamEnds || e.What == story.Reset) {
		text += fmt.Sprintf("  after %s; the %s has sent %s, the %s %s", spanText(e.Took),
			e.Link.Here(), bytesText(st.Sent[1]), e.Link.There(), bytesText(st.Sent[0]))
	}
	return text
}

func sideText(s *tap.Side, program string) string {
	text := fmt.Sprint(s.Pid)
	for _, part := range []string{program, strings.TrimSpace(s.Name + " " + s.Version), s.Lang} {
		if part != "" {
			text += ", " + oneLine(part)
		}
	}
	return "(" + text + ")"
}

// fateText says what became of a call.
func fateText(c *story.Call) string {
	took := spanText(c.End - c.Begin)
	switch {
	case c.Aborted:
		return "given up before it was sent"
	case c.Answered && c.Failed && c.Cancelled:
		return "cancelled, after " + took
	case c.Answered && c.Failed:
		return "failed after " + took
	case c.Answered:
		return "answered after " + took
	case c.Link.Gap:
		return "its answer is not in the record"
	case c.Link.Ended:
		return "never answered, until the link ended " + spanText(c.Link.End-c.Begin) + " later"
	}
	return "not answered within the record, which goes on for " + spanText(c.Link.End-c.Begin)
}

func classText(class string) string {
	if class == "reply" {
		return "replies"
	}
	return class + "s"
}

// spanText is a duration with three digits or so.
func spanText(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 1000 * 10).String()
		}
	}
	return d.String()
}

// bytesText is a number of bytes with its thousands apart.
func bytesText(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s + " B"
}

// textOfContents is how much of what was recorded stands in a line.
const textOfContents = 100

// contentText is what a message says, or its beginning.
func contentText(e *story.Event) string {
	body := bodyOf(e)
	if body == nil {
		return ""
	}
	text := oneLine(string(body))
	if len(text) > textOfContents {
		end := textOfContents
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	return "  " + text
}
