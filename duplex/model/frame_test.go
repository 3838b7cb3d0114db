package model

import "fmt"

type side uint8

const (
	A side = iota
	B
)

func (s side) other() side    { return 1 - s }
func (s side) String() string { return string("AB"[s]) }

type class uint8

const (
	call class = iota
	reply
	notification
	numClasses
)

func (c class) String() string { return [...]string{"call", "reply", "notification"}[c] }

// frame is one frame. id is that of a message or a stream, or a class for
// credit; n is what credit, window or idle say.
type frame struct {
	kind  kind
	id, n uint8
}

type kind uint8

const (
	none kind = iota
	kindWhole
	kindFirst
	kindPiece
	kindAbort
	kindCredit
	kindGrant
	kindShutdown
	kindIdle
	kindBye
	kindOpen
	kindAccept
	kindData
	kindEnd
	kindStop
	kindReset
	kindMore // credit of a stream
	numKinds
)

func (f frame) String() string {
	name := [...]string{"", "whole", "first", "piece", "abort", "credit", "grant", "shutdown", "idle", "bye",
		"open", "accept", "data", "end", "stop", "reset", "more"}[f.kind]
	switch f.kind {
	case kindCredit:
		return fmt.Sprintf("credit(%v, %d)", class(f.id), f.n)
	case kindIdle:
		return fmt.Sprintf("idle(%d)", f.n)
	case kindShutdown, kindBye:
		return name
	case kindOpen, kindAccept, kindData, kindEnd, kindStop, kindReset:
		return fmt.Sprintf("%s(s%d)", name, f.id)
	case kindMore:
		return fmt.Sprintf("more(s%d, %d)", f.id, f.n)
	}
	return fmt.Sprintf("%s(m%d)", name, f.id)
}

const maxPipe = 4

// pipe is what one side has written and the other has not read.
type pipe struct {
	n      uint8
	frames [maxPipe]frame
}

func (p *pipe) push(f frame) {
	p.frames[p.n] = f
	p.n++
}

func (p *pipe) pop() frame {
	f := p.frames[0]
	copy(p.frames[:], p.frames[1:p.n])
	p.n--
	p.frames[p.n] = frame{} // equal pipes are equal values
	return f
}
