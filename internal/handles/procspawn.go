package handles

import (
	"io"
	"time"
)

// Hello is what the layers above procspawn say in its hello. Zero fields mean procspawn's defaults.
type Hello struct {
	MaxMessage int      // the largest message that this side takes, in bytes
	Encoding   string   // of arguments and replies; whoever names another is refused
	Bodies     []string // formats of bodies that this side can read
	Features   []string // what else this side understands
	Plain      bool     // it does not say that it is a Go program

	// Accept, if it is not nil, returns why this side cannot work with one that lists these features.
	Accept func(features []string) error
}

// PendingCall is a call that was waiting for a child when it ended.
type PendingCall struct {
	Method string
	For    time.Duration // how long it had been waiting
}

// Set by package procspawn.
var (
	SetHello   func(opts any, h Hello)                      // in a *procspawn.Options, before Start, Inherited or Handshake
	Check      func(opts any) error                         // of a *procspawn.Options: why it can never work
	SetPending func(opts any, pending func() []PendingCall) // in a *procspawn.Options: asked when a child has ended
	SetWhy     func(opts any, why func() error)             // in a *procspawn.Options: asked when this side has stopped a child; nil if it was told to
	Sums       func(link any) (out, in uint32)              // of a *procspawn.Link: what the checksums of frames begin with
	SetLarge   func(link any) func(large bool) bool         // of a *procspawn.Link: see Frames.SetLarge
	Lost       func(link any)                               // closes a *procspawn.Link that is of no more use although neither side has closed it
	LinkState  func(link any) (stopped, outlived bool)      // of a child's *procspawn.Link: it has ended and nothing but a signal ends the process; the process goes on without it
	RawLink    func() (io.ReadWriteCloser, error)           // of a child, instead of procspawn.Inherited: no hello has been said or read
	Stopping   func(process, step any)                      // notes in a *procspawn.Process the procspawn.Step about to be taken
)
