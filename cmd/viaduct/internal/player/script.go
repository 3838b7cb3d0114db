// Package player plays what one side of a recorded link has said to another program, and compares what
// that answers.
//
// It assumes a record with contents. It promises that messages go in the order of the record, each
// behind the answers and the callbacks that came before it there, so that what a program is asked does
// not depend on how fast it is.
package player

import (
	"fmt"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/tap"
)

// UnplayableError says why a link cannot be replayed.
type UnplayableError struct{ Reason string }

func (e *UnplayableError) Error() string { return e.Reason }

func unplayable(format string, args ...any) error {
	return &UnplayableError{fmt.Sprintf(format, args...)}
}

// Script is what is played, and what is expected.
type Script struct {
	Played tap.Side // what the side that is played has said of itself
	Out    bool     // it is the one that has recorded
	steps  []step
}

// Answers is how many answers are compared at most.
func (s *Script) Answers() (n int) {
	for _, x := range s.steps {
		if x.kind == awaitAnswer {
			n++
		}
	}
	return n
}

type stepKind int

const (
	sayCall stepKind = iota
	sayNotification
	sayAnswer // to a callback
	sayCancel
	awaitAnswer
	awaitCallback
)

// step is something to be said, or to be waited for.
type step struct {
	kind    stepKind
	call    *story.Call     // that it is, or is about; nil of a notification
	message message.Message // nothing of a cancel
	within  *story.Call     // the callback that a call or a notification serves; nil if none
}

// maxDepth is how deep messages may nest that are looked at.
const maxDepth = 1000

// NewScript returns how the program at the other end of l is replayed: what the parent said, or, where
// there is none, the side that has made calls. Its error is an *UnplayableError.
func NewScript(st *story.Story, l *story.Link) (*Script, error) {
	switch {
	case !st.Contents:
		return nil, unplayable("only sizes were recorded: a tap with contents was expected")
	case st.Err != nil:
		return nil, unplayable("the record is not whole: %v", st.Err)
	case !l.Known || l.Gap:
		return nil, unplayable("parts of link %d are missing in the record", l.Number)
	case len(l.Streams) > 0:
		return nil, unplayable("link %d has streams, whose bytes have no order among the messages", l.Number)
	}
	s := &Script{Out: playsHere(l), Played: l.Info.There}
	if s.Out {
		s.Played = l.Info.Here
	}
	callbacks := make(map[uint32]*story.Call) // those that are open
	for _, e := range st.Events {
		if e.Link != l {
			continue
		}
		if err := s.add(e, callbacks); err != nil {
			return nil, err
		}
	}
	if len(s.steps) == 0 {
		return nil, unplayable("link %d has no messages of the side that is played", l.Number)
	}
	return s, nil
}

// playsHere reports whether the side that has recorded is to be played.
func playsHere(l *story.Link) bool {
	switch l.Info.Role {
	case tap.Parent:
		return true
	case tap.Child:
		return false
	}
	for _, c := range l.Calls {
		if c.Out {
			return true
		}
	}
	return false
}

// add adds what is to be done for e.
func (s *Script) add(e *story.Event, callbacks map[uint32]*story.Call) error {
	x := step{call: e.Call}
	isPlayed := e.Out == s.Out
	switch e.What {
	case story.CallMade:
		x.kind = awaitCallback
		if isPlayed {
			x.kind = sayCall
		}
	case story.Notified:
		if !isPlayed || e.Method == message.LogMethod {
			return nil
		}
		x.kind, x.call = sayNotification, nil
	case story.Answer, story.Failure:
		x.kind = awaitAnswer
		if isPlayed {
			x.kind = sayAnswer
		}
		if e.Call == nil {
			return unplayable("there is an answer to a call that is not in the record")
		}
	case story.Cancelled:
		if isPlayed && e.Call != nil {
			s.steps = append(s.steps, step{kind: sayCancel, call: e.Call})
		}
		return nil
	default:
		return nil
	}
	if e.Message == nil {
		return nil // it was given up before it was sent whole, or the link has ended within it
	}
	m, err := message.Parse(e.Message, maxDepth)
	if err != nil {
		return unplayable("the record has a message that is none: %v", err)
	}
	x.message = m
	switch x.kind {
	case awaitCallback:
		callbacks[e.ID] = e.Call
	case sayAnswer:
		delete(callbacks, e.ID)
	case sayCall, sayNotification:
		if info := message.InfoOf(&m); info != nil && info.Nested {
			x.within = callbacks[info.Within]
		}
	}
	s.steps = append(s.steps, x)
	return nil
}
