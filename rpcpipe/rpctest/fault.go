package rpctest

import (
	"fmt"
	"time"
)

// A Fault is something that a link does to what goes in one direction.
type Fault struct {
	kind        faultKind
	at          Point
	n           int           // of Rate and Split
	least, most time.Duration // of Delay
}

type faultKind uint8

const (
	delay faultKind = iota
	rate
	split
	cut
	stall
	drop
	duplicate
	corrupt
)

var faultNames = [...]string{"delay", "rate", "split", "cut", "stall", "drop", "duplicate", "corrupt"}

// String says what f does, as "cut at byte 100".
func (f Fault) String() string {
	switch f.kind {
	case delay:
		return fmt.Sprintf("delay of %v to %v", f.least, f.most)
	case rate:
		return fmt.Sprintf("rate of %d bytes/s", f.n)
	case split:
		return fmt.Sprintf("split into at most %d bytes", f.n)
	}
	return fmt.Sprintf("%s at %v", faultNames[f.kind], f.at)
}

// check panics if f has no meaning: that is a mistake in the test.
func (f Fault) check() {
	bad := ""
	switch {
	case f.kind == delay && (f.least < 0 || f.most < f.least):
		bad = "0 <= least <= most was expected"
	case f.kind <= split && f.kind != delay && f.n < 1:
		bad = "1 or more was expected"
	case f.at.n < 0:
		bad = "bytes and frames count from 0"
	}
	if bad != "" {
		panic(fmt.Sprintf("rpctest: %v: %s", f, bad))
	}
}

// A Point is a place in what goes in one direction of a link.
type Point struct {
	n     int64
	frame bool
}

// String is "byte 100" or "frame 3".
func (p Point) String() string {
	if p.frame {
		return fmt.Sprintf("frame %d", p.n)
	}
	return fmt.Sprintf("byte %d", p.n)
}

// Byte is the byte with number n, the first being 0.
func Byte(n int64) Point { return Point{n: n} }

// Frame is the frame with number n, from 1. Frame 0 is the hello that both sides begin with, all of
// it. Each frame is a header of 8 bytes, checksums where there are any, and what it carries: see
// docs/PROTOCOL.md. Bytes of a frame wait until it is whole where a direction has a Fault at a Frame.
func Frame(n int64) Point { return Point{n, true} }

// Delay has each piece written arrive so much later, at least and at most; which, the seed says.
// What is written later does not arrive earlier.
func Delay(least, most time.Duration) Fault { return Fault{kind: delay, least: least, most: most} }

// Rate has no more than n bytes arrive in a second.
func Rate(n int) Fault { return Fault{kind: rate, n: n} }

// Split has each read get between 1 and n bytes; how many, the seed says.
func Split(n int) Fault { return Fault{kind: split, n: n} }

// Cut ends the link there, as the death of the process that writes would: what was before arrives,
// and then the end of file; nothing more is taken in either direction.
func Cut(at Point) Fault { return Fault{kind: cut, at: at} }

// Stall has nothing more arrive from there on, until [Link.Resume]: as a process that has stopped
// reading. Writes are taken until 64 KiB wait.
func Stall(at Point) Fault { return Fault{kind: stall, at: at} }

// Drop loses that byte or frame.
func Drop(at Point) Fault { return Fault{kind: drop, at: at} }

// Duplicate has that byte or frame arrive twice.
func Duplicate(at Point) Fault { return Fault{kind: duplicate, at: at} }

// Corrupt turns one bit over: of that byte, or of one in that frame; which, the seed says.
func Corrupt(at Point) Fault { return Fault{kind: corrupt, at: at} }
