package story

import (
	"encoding/binary"
	"time"

	"github.com/viaduct-go/viaduct/internal/tap"
)

// classes are those of messages, by the low two bits of the kinds of their frames.
var classes = [4]string{"call", "reply", "notification", "urgent"}

// builder makes a Story of records.
type builder struct {
	story *Story
	links map[uint32]*state
}

// state is what is known of a link while it is read.
type state struct {
	link    *Link
	calls   map[callKey]*Call
	long    map[longKey]*long
	streams map[streamKey]*Stream
	credit  [2][4]balance // by who sends: the other side, the one that has recorded
	pings   [2]map[uint32]time.Duration
}

type callKey struct {
	out bool
	id  uint32
}

type longKey struct {
	out   bool
	class uint8
	id    uint32
}

type streamKey struct {
	out bool // it was opened by the side that has recorded
	id  uint32
}

// long is a message of more than one frame that has not ended.
type long struct {
	event *Event
	left  uint64
	data  []byte
}

func newBuilder(r *tap.Reader) *builder {
	return &builder{story: &Story{Begin: r.Begin, Contents: r.Contents}, links: make(map[uint32]*state)}
}

// state returns that of a link, whose beginning may be missing.
func (b *builder) state(number uint32, at time.Duration) *state {
	s := b.links[number]
	if s == nil {
		s = &state{
			link:    &Link{Number: number, Begin: at, End: at},
			calls:   make(map[callKey]*Call),
			long:    make(map[longKey]*long),
			streams: make(map[streamKey]*Stream),
			pings:   [2]map[uint32]time.Duration{{}, {}},
		}
		b.links[number] = s
		b.story.Links = append(b.story.Links, s.link)
	}
	s.link.End = max(s.link.End, at)
	return s
}

func (b *builder) add(e *Event) *Event {
	b.story.Events = append(b.story.Events, e)
	return e
}

func (b *builder) record(r *tap.Record) {
	switch r.Kind {
	case tap.KindLost:
		b.lost(r)
		return
	case tap.KindFull:
		b.story.Full = true
		b.add(&Event{At: r.At, What: Full})
		return
	case tap.KindBegin, tap.KindEnd, tap.KindBlocked, tap.KindFrame:
	default:
		return // of a later version
	}
	s := b.state(r.Link, r.At)
	switch r.Kind {
	case tap.KindBegin:
		s.link.Info, s.link.Known, s.link.Begin = r.Info, true, r.At
		for i := range s.credit {
			for c := range s.credit[i] {
				s.credit[i][c].known = true
			}
		}
		b.add(&Event{At: r.At, Link: s.link, What: LinkBegins})
	case tap.KindEnd:
		s.link.Ended = true
		b.add(&Event{At: r.At, Link: s.link, What: LinkEnds, Number: r.Unsent, Size: uint64(r.Partial)})
	case tap.KindBlocked:
		b.add(&Event{At: r.At, Link: s.link, Out: true, What: WriteBlocked, Took: r.Blocked})
	case tap.KindFrame:
		b.frame(s, r)
	}
}

// lost is for a gap: what is half known is not to be told wrongly.
func (b *builder) lost(r *tap.Record) {
	b.story.Lost += r.Lost
	b.add(&Event{At: r.At, What: Lost, Number: r.Lost})
	for _, s := range b.links {
		s.link.Gap = true
		s.credit = [2][4]balance{}
		clear(s.long)
	}
}

func index(out bool) int {
	if out {
		return 1
	}
	return 0
}

func (b *builder) frame(s *state, r *tap.Record) {
	f := &r.Frame
	e := &Event{At: r.At, Link: s.link, Out: r.Out, ID: f.ID}
	class := f.Kind & 3
	switch base := f.Kind &^ 3; {
	case f.Kind >= 0x40 && f.Kind < 0x4c:
		b.stream(s, r, e)
		return
	case base == 0x10:
		e.Size = uint64(f.Length)
		b.begins(s, r, e, class)
		if b.story.Contents {
			e.Message = append([]byte(nil), f.Payload...)
		}
		return
	case base == 0x14 && class != 3:
		e.Size = f.Total
		b.begins(s, r, e, class)
		l := &long{event: e, left: f.Total - min(f.Total, uint64(max(f.Length-8, 0)))}
		l.data = append(l.data, f.Payload...)
		s.long[longKey{r.Out, class, f.ID}] = l
		return
	case base == 0x18 && class != 3:
		b.piece(s, r, e, class)
	case base == 0x1c && class != 3:
		e.What, e.Class = Aborted, classes[class]
		key := longKey{r.Out, class, f.ID}
		if l := s.long[key]; l != nil {
			delete(s.long, key)
			e.Call, e.Method, e.ID = l.event.Call, l.event.Method, l.event.ID
			if class == 0 && e.Call != nil {
				e.Call.Aborted = true
				delete(s.calls, callKey{r.Out, e.ID})
			}
		}
	case base == 0x20 && class != 3:
		e.What, e.Class, e.Size = Credit, classes[class], uint64(f.ID)
		if took := s.credit[index(!r.Out)][class].give(int64(f.ID), r.At); took > 0 {
			b.add(&Event{At: r.At, Link: s.link, Out: !r.Out, What: OutOfCredit, Class: e.Class, Took: took})
		}
	case base == 0x24 && class != 3:
		e.What, e.Class = Granted, classes[class]
		if l := s.long[longKey{!r.Out, class, f.ID}]; l != nil {
			e.Call, e.Method, e.ID, e.Took = l.event.Call, l.event.Method, l.event.ID, r.At-l.event.At
		}
	default:
		b.control(s, r, e)
	}
	b.add(e)
}

// control is for frames that are about the link.
func (b *builder) control(s *state, r *tap.Record, e *Event) {
	switch r.Frame.Kind {
	case 0x30:
		e.What, e.Minor = Ping, true
		pings := s.pings[index(r.Out)]
		if len(pings) >= maxPings {
			clear(pings) // only the latest need have an answer
		}
		pings[e.ID] = r.At
	case 0x31:
		e.What, e.Minor = Pong, true
		if at, ok := s.pings[index(!r.Out)][e.ID]; ok {
			e.Took = r.At - at
			delete(s.pings[index(!r.Out)], e.ID)
		}
	case 0x32:
		e.What = Bye
	case 0x33:
		e.What = Shutdown
	case 0x34:
		e.What, e.Minor = Idle, true
	default:
		e.What, e.Minor, e.Number, e.Size = Unknown, true, uint64(r.Frame.Kind), uint64(r.Frame.Length)
	}
}

// maxPings is how many pings are kept that have no answer.
const maxPings = 1000

// begins is for the first frame of a message, or the only one.
func (b *builder) begins(s *state, r *tap.Record, e *Event, class uint8) {
	if class != 3 {
		s.credit[index(r.Out)][class].take(cost(e.Size, s.link.Info.Eager), r.At)
	}
	b.add(e)
	e.What, e.Class = Unknown, classes[class]
	name, ok := r.Frame.Name, r.Frame.Named
	if !ok {
		return
	}
	e.ID, e.Method = name.ID, name.Method
	switch {
	case name.Type == tap.Request:
		e.What = CallMade
		e.Call = &Call{Link: s.link, Out: r.Out, ID: name.ID, Method: name.Method, Size: e.Size, Begin: r.At, Request: e}
		s.calls[callKey{r.Out, name.ID}] = e.Call
		s.link.Calls = append(s.link.Calls, e.Call)
	case name.Type == tap.Response:
		e.What = Answer
		if name.Failed {
			e.What = Failure
		}
		key := callKey{!r.Out, name.ID}
		if c := s.calls[key]; c != nil {
			delete(s.calls, key)
			c.Answered, c.Failed, c.End, c.Reply = true, name.Failed, r.At, e
			e.Call, e.Method, e.Took = c, c.Method, r.At-c.Begin
			c.Request.Took = e.Took
		}
	case class == 3:
		e.What = Cancelled
		if c := s.calls[callKey{r.Out, name.ID}]; c != nil {
			c.Cancelled = true
			e.Call, e.Method, e.Took = c, c.Method, r.At-c.Begin
		} else {
			e.Method = ""
		}
	default:
		e.What, e.ID = Notified, 0
		e.Call = &Call{Link: s.link, Out: r.Out, Notification: true, Method: name.Method, Size: e.Size, Begin: r.At, Request: e}
		s.link.Calls = append(s.link.Calls, e.Call)
	}
}

func (b *builder) piece(s *state, r *tap.Record, e *Event, class uint8) {
	e.What, e.Minor, e.Class, e.Size = Piece, true, classes[class], uint64(r.Frame.Length)
	key := longKey{r.Out, class, r.Frame.ID}
	l := s.long[key]
	if l == nil {
		return
	}
	e.Call, e.Method, e.ID, e.Took = l.event.Call, l.event.Method, l.event.ID, r.At-l.event.At
	l.data = append(l.data, r.Frame.Payload...)
	l.left -= min(l.left, uint64(r.Frame.Length))
	if l.left > 0 {
		return
	}
	delete(s.long, key)
	if b.story.Contents && uint64(len(l.data)) == l.event.Size {
		l.event.Message = l.data
	}
	// It has arrived now, and so it was answered now.
	if c := l.event.Call; c != nil && c.Reply == l.event {
		c.End = r.At
		c.Request.Took = c.End - c.Begin
		l.event.Took = c.Request.Took
	}
}

// stream is for the frames of streams.
func (b *builder) stream(s *state, r *tap.Record, e *Event) {
	f := &r.Frame
	base, byOpener := f.Kind&^1, f.Kind&1 == 0
	if f.Kind == 0x41 {
		base = 0x41
	}
	key := streamKey{r.Out == byOpener, f.ID}
	st := s.streams[key]
	var number uint64
	if len(f.Payload) >= 4 {
		number = uint64(binary.LittleEndian.Uint32(f.Payload))
	}
	switch base {
	case 0x40:
		e.What, e.Size = Opened, number
		st = &Stream{Link: s.link, Out: key.out, ID: f.ID, Begin: r.At}
		s.streams[key] = st
		s.link.Streams = append(s.link.Streams, st)
	case 0x41:
		e.What, e.Size = Accepted, number
	case 0x42:
		e.What, e.Minor, e.Size = Data, true, uint64(f.Length)
	case 0x44:
		e.What, e.Minor, e.Size = StreamCredit, true, number
	case 0x46:
		e.What = StreamEnds
	case 0x48:
		e.What = Stopped
	case 0x4a:
		e.What, e.Number = Reset, number
	}
	if e.Stream = st; st != nil {
		st.End = r.At
		e.Took = r.At - st.Begin
		switch base {
		case 0x41:
			st.Accepted = true
		case 0x42:
			st.Sent[index(r.Out)] += e.Size
		case 0x46:
			st.ends++
		case 0x4a:
			st.WasReset = true
		}
		if st.Ended() {
			delete(s.streams, key)
		}
	}
	b.add(e)
}
