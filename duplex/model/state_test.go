package model

import "slices"

const (
	maxMsgs    = 28
	maxThreads = 10
	maxStreams = 4
	maxQueue   = 16
)

// state is all that there is at one moment. It is a value without pointers:
// copied by assignment, equal if nothing that can happen differs.
type state struct {
	conns   [2]conn
	pipes   [2]pipe // by who writes
	msgs    [maxMsgs]msgState
	threads [maxThreads]uint8 // steps begun
	streams [maxStreams][2]streamEnd
}

// conn is one side's end of the link.
type conn struct {
	// Of its writer.
	credit  [numClasses]int8 // what the other side has granted
	waiting [numClasses]queue
	ready   queue // what has pieces to send: messages, and streams + firstStream
	since   uint8 // messages started while a piece could have been sent
	order   uint8 // messages queued, if numbered

	// Of its reader, about what the other side sends.
	held          [numClasses]int8  // cost of what has come and is not taken
	owed          [numClasses]int8  // taken and not granted again
	used          [numClasses]uint8 // rests granted and not taken
	toGrant       [numClasses]queue // long messages that wait for a grant
	notifications queue             // notifications that wait for the handler
	early         uint8             // room of those of them that were released before their turn
	last          [numClasses]uint8 // number of the last message, if numbered

	// Of its end.
	shut     bool // Shutdown has been called here
	shutDue  bool // and the other side is to be told
	draining bool // nothing new begins
	told     bool // idle has been sent, and holds
	heard    bool // the last idle that came holds: nothing has come since
	heardN   uint8
	begun    uint8 // messages and opens that it has begun to send, ever
	came     uint8 // that have come, complete or aborted, ever
	closed   bool
	pool     uint8 // credit that all streams share, if that rule is broken
}

// msgState is a message on both sides.
type msgState struct {
	out      outState
	abortDue bool
	left     uint8 // frames not sent
	number   uint8
	in       inState
	got      uint8 // frames that have come
	grantDue bool
	granted  bool
	step     uint8 // steps of its handler begun
}

type outState uint8

const (
	outNone outState = iota
	outWaiting
	outOpen  // first frame sent, rest not granted
	outReady // granted
	outSent
	outFailed // refused or given up: its sender knows
)

type inState uint8

const (
	inNone inState = iota
	inOpen
	inQueued   // notification, for the handler
	inReleased // the same, and takes no credit any more
	inHandled
	inDone
)

// queue is a list of indices.
type queue struct {
	n  uint8
	at [maxQueue]uint8
}

func (q *queue) list() []uint8    { return q.at[:q.n] }
func (q *queue) has(x uint8) bool { return slices.Contains(q.list(), x) }
func (q *queue) push(x uint8)     { q.at[q.n] = x; q.n++ }
func (q *queue) pop() (x uint8)   { x = q.at[0]; q.remove(x); return x }
func (q *queue) remove(x uint8) {
	i := slices.Index(q.list(), x)
	if i < 0 {
		return
	}
	copy(q.at[i:], q.at[i+1:q.n])
	q.n--
	q.at[q.n] = 0 // equal queues are equal values
}

func (md *model) start() state {
	var s state
	for x := A; x <= B; x++ {
		c := &s.conns[x]
		for k := range c.credit {
			c.credit[k] = int8(md.window)
		}
		if md.broken == streamsShareCredit {
			c.pool = uint8(md.window)
		}
		if md.atOnce && md.shut[x] {
			md.shutdown(&s, x)
		}
	}
	return s
}
