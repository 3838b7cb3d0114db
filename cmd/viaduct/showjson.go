package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/value"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/tap"
)

// entry is a line of JSON. Times are in seconds.
type entry struct {
	Time   float64         `json:"time"`
	Link   uint32          `json:"link,omitempty"`
	From   string          `json:"from,omitempty"`
	To     string          `json:"to,omitempty"`
	What   story.What      `json:"what"`
	ID     *uint32         `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Class  string          `json:"class,omitempty"`
	Size   uint64          `json:"size,omitempty"`
	Number uint64          `json:"number,omitempty"`
	Took   float64         `json:"took,omitempty"`
	Fate   string          `json:"fate,omitempty"` // of a call
	Body   json.RawMessage `json:"body,omitempty"`

	Begin *time.Time `json:"begin,omitempty"`
	Here  *side      `json:"here,omitempty"`
	There *side      `json:"there,omitempty"`
}

type side struct {
	Role     string   `json:"role"`
	Pid      int      `json:"pid"`
	Program  string   `json:"program,omitempty"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Language string   `json:"language,omitempty"`
	Encoding string   `json:"encoding"`
	Features []string `json:"features,omitempty"`
}

// writeJSON shows a record as lines of JSON.
func writeJSON(w io.Writer, st *story.Story, f *filter) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, e := range st.Events {
		if !f.wants(e) {
			continue
		}
		if err := out.Encode(entryOf(st, e)); err != nil {
			return err
		}
	}
	return nil
}

func entryOf(st *story.Story, e *story.Event) *entry {
	x := &entry{
		Time: e.At.Seconds(), What: e.What, Method: e.Method, Class: e.Class, Size: e.Size, Number: e.Number,
		Took: e.Took.Seconds(), Body: bodyOf(e),
	}
	if e.Link == nil {
		return x
	}
	x.Link = e.Link.Number
	switch e.What {
	case story.LinkBegins:
		begin, i := st.Begin.Add(e.At), &e.Link.Info
		x.Begin = &begin
		x.Here, x.There = newSide(e.Link.Here(), "", &i.Here), newSide(e.Link.There(), i.Program, &i.There)
		return x
	case story.LinkEnds:
		return x
	case story.CallMade:
		x.Fate = fateOf(e.Call)
	}
	x.From, x.To = sides(e)
	if e.Call != nil && !e.Call.Notification || e.Stream != nil || e.What == story.Cancelled || e.What == story.Answer || e.What == story.Failure {
		id := e.ID
		x.ID = &id
	}
	return x
}

// fateOf is what became of a call, in a word.
func fateOf(c *story.Call) string {
	switch {
	case c.Aborted:
		return "aborted"
	case c.Answered && c.Failed && c.Cancelled:
		return "cancelled"
	case c.Answered && c.Failed:
		return "failed"
	case c.Answered:
		return "answered"
	}
	return "open"
}

func newSide(role, program string, s *tap.Side) *side {
	return &side{
		Role: role, Pid: s.Pid, Program: program, Name: s.Name, Version: s.Version,
		Language: s.Lang, Encoding: s.Encoding, Features: s.Features,
	}
}

// maxDepth is how deep values may nest of which more is shown than that they do.
const maxDepth = 1000

// bodyOf returns what a message says, as JSON: an argument, several as an array, a reply or an error.
// It is nil if that was not recorded, or is not well-formed.
func bodyOf(e *story.Event) []byte {
	if e.Message == nil {
		return nil
	}
	m, err := message.Parse(e.Message, maxDepth)
	if err != nil {
		return nil
	}
	body := m.Body
	if m.Kind == message.Response && m.Err != nil {
		body = m.Err
	}
	n, err := mpack.Skip(body, maxDepth)
	if err != nil {
		return nil
	}
	body = body[:n]
	if m.Kind != message.Response {
		if n, rest, err := mpack.ReadArray(body); err == nil && n == 1 {
			body = rest
		}
	}
	if b, rest, err := mpack.ReadBin(body); err == nil && len(rest) == 0 && e.Link.Info.Here.Encoding == "json" && json.Valid(b) {
		return b
	}
	return (*value.Schema)(nil).JSON(nil, body, "")
}
