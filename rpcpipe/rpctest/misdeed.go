package rpctest

import (
	"fmt"
	"slices"
)

// A Misdeed is something that a [Child] does wrong.
type Misdeed struct {
	Do Act

	// When it does so. Default: OnCall.
	When When

	// Method is whose calls OnCall counts. Empty: those of all methods.
	Method string

	// Call is the number of the call that it does so at, from 1. Default: 1.
	Call int

	// Status is the exit status of Exit.
	Status int

	// Lasting has it do so at each further call as well.
	Lasting bool
}

// When is the moment of a Misdeed.
type When string

const (
	OnCall  When = ""         // when a call or notification comes, before it is answered
	AtStart When = "at start" // before the Child has said hello
	AtHello When = "at hello" // as soon as both sides have said hello
	AtEnd   When = "at end"   // when its link has ended
)

// An Act is what a [Child] does that it should not.
type Act string

const (
	Exit  Act = "exit"  // end with Misdeed.Status
	Panic Act = "panic" // panic, which ends the process
	Kill  Act = "kill"  // end as by kill -9
	Stop  Act = "stop"  // stop as by kill -STOP: the process is there and does nothing. Not on Windows
	Hang  Act = "hang"  // OnCall: never return from the call; else go on for ever, whatever SIGTERM says
	Spin  Act = "spin"  // as Hang, at full speed

	FloodCalls  Act = "flood calls"  // call the other side as fast as it can, without an end
	FloodNotify Act = "flood notify" // send it notifications so
	FloodStderr Act = "flood stderr" // print there so
	FloodMemory Act = "flood memory" // take memory so
	CloseLink   Act = "close link"   // close the link, and go on for ever

	// Lies: what no Peer says. At AtStart they take the place of the hello or are part of it, at
	// AtHello and OnCall they follow it.

	LieJunk    Act = "lie junk"    // bytes that mean nothing
	LieVersion Act = "lie version" // AtStart: a version of the protocol that does not exist yet
	LieFrame   Act = "lie frame"   // a frame of no known kind
	LieLength  Act = "lie length"  // a frame that says more bytes than it may have; AtStart: a hello that does
	LieReply   Act = "lie reply"   // a reply to a call that nobody has made
	LieBody    Act = "lie body"    // OnCall: a reply that cannot be decoded, to the call
	LieTwice   Act = "lie twice"   // OnCall: the reply to the call, twice
)

var (
	acts = []Act{Exit, Panic, Kill, Stop, Hang, Spin, FloodCalls, FloodNotify, FloodStderr, FloodMemory, CloseLink}
	lies = map[Act][]When{
		LieJunk:    {AtStart, AtHello, OnCall},
		LieVersion: {AtStart},
		LieFrame:   {AtHello, OnCall},
		LieLength:  {AtStart, AtHello, OnCall},
		LieReply:   {AtHello, OnCall},
		LieBody:    {OnCall},
		LieTwice:   {OnCall},
	}
	needLink = []Act{FloodCalls, FloodNotify, CloseLink}
)

// check reports a Misdeed that has no meaning.
func (m Misdeed) check() error {
	whens, isLie := lies[m.Do], m.isLie()
	switch {
	case !isLie && !slices.Contains(acts, m.Do):
		return fmt.Errorf("rpctest: Misdeed.Do is %q: one of %q, or a lie, was expected", m.Do, acts)
	case isLie && !slices.Contains(whens, m.When):
		return fmt.Errorf("rpctest: Misdeed %q at %q: one of %q was expected", m.Do, m.When, whens)
	case !isLie && !slices.Contains([]When{OnCall, AtStart, AtHello, AtEnd}, m.When):
		return fmt.Errorf("rpctest: Misdeed.When is %q: OnCall, AtStart, AtHello or AtEnd was expected", m.When)
	case slices.Contains(needLink, m.Do) && (m.When == AtStart || m.When == AtEnd):
		return fmt.Errorf("rpctest: Misdeed %q at %q: there is no link then", m.Do, m.When)
	case m.Call < 0:
		return fmt.Errorf("rpctest: Misdeed.Call is %d: 1 or more was expected, or 0 for the first call", m.Call)
	case m.When != OnCall && (m.Call != 0 || m.Method != "" || m.Lasting):
		return fmt.Errorf("rpctest: Misdeed %q at %q: Method, Call and Lasting are for OnCall", m.Do, m.When)
	case m.Do != Exit && m.Status != 0:
		return fmt.Errorf("rpctest: Misdeed %q: Status is for Exit", m.Do)
	case m.Status < 0 || m.Status > 255:
		return fmt.Errorf("rpctest: Misdeed.Status is %d: 0 to 255 was expected", m.Status)
	}
	return nil
}

func (m Misdeed) isLie() bool { return lies[m.Do] != nil }

// isDue reports whether m is done at a call of method, which is the nth of that method, and the nth
// of all: it is one or the other that counts.
func (m Misdeed) isDue(method string, ofMethod, ofAll int) bool {
	if m.When != OnCall || m.Method != "" && m.Method != method {
		return false
	}
	n, at := ofAll, max(m.Call, 1)
	if m.Method != "" {
		n = ofMethod
	}
	return n == at || m.Lasting && n > at
}
