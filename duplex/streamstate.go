package duplex

// A stream's life is three states: that of the stream as a whole, and that of each half. The tables
// here are all the moves there are: what an event makes of a state. An event that has no entry
// changes nothing; who reports it says whether that is an error of the other side.
//
// Other things that are kept about a stream are facts of their own, not states: what is owed to the
// other side, which lists it is in, and which error its user gets.

// streamState is what the table of streams knows of a stream. Guarded by streams.mu.
type streamState uint8

const (
	streamNew       streamState = iota + 1 // known to nobody yet
	streamOffered                          // waits for the other side to open it by its name
	streamAsked                            // opened by this side, not answered yet
	streamWaiting                          // opened by the other side, not accepted here yet
	streamOpen                             // accepted
	streamHalfEnded                        // one of its halves has ended in order
	streamForgotten                        // frames for it are skipped; what came may be read
	streamOver                             // and nothing is left to read
	numStreamStates
)

type streamEvent uint8

const (
	streamIsOffered    streamEvent = iota
	streamIsAsked                  // this side opens it
	streamComes                    // the other side opens it
	streamIsAccepted               // by either side; the opening of an offer is this, too
	streamHalfEnds                 // in order, with an end
	streamEndsAtOnce               // it is reset, refused or withdrawn
	streamLosesLink                // what ends then was not over: see Conn.nothingLost
	streamIsReadToLast             // nothing that came is left, nor wanted
	numStreamEvents
)

var streamMoves = [numStreamStates][numStreamEvents]streamState{
	streamNew: {
		streamIsOffered:  streamOffered,
		streamIsAsked:    streamAsked,
		streamComes:      streamWaiting,
		streamEndsAtOnce: streamOver, // an offer that cannot be made
	},
	// An offer may have ended its sending half. It half-ends for the table when it is opened.
	streamOffered: {
		streamIsAccepted: streamOpen,
		streamEndsAtOnce: streamForgotten,
		streamLosesLink:  streamForgotten,
	},
	streamAsked: {
		streamIsAccepted: streamOpen,
		streamEndsAtOnce: streamForgotten,
		streamLosesLink:  streamForgotten,
	},
	streamWaiting: {
		streamIsAccepted: streamOpen,
		streamEndsAtOnce: streamForgotten,
		streamLosesLink:  streamForgotten,
	},
	streamOpen: {
		streamHalfEnds:   streamHalfEnded,
		streamEndsAtOnce: streamForgotten,
		streamLosesLink:  streamForgotten,
	},
	streamHalfEnded: {
		streamHalfEnds:   streamForgotten,
		streamEndsAtOnce: streamForgotten,
		streamLosesLink:  streamForgotten,
	},
	streamForgotten: {
		streamIsReadToLast: streamOver,
	},
	streamOver: {},
}

// on moves s as e demands. It reports false if e means nothing in this state.
func (s *streamState) on(e streamEvent) (moved bool) {
	next := streamMoves[*s][e]
	if next == 0 {
		return false
	}
	*s = next
	return true
}

// keepsLinkUp reports whether Shutdown waits for the stream.
func (s streamState) keepsLinkUp() bool { return s != streamNew && s != streamOver }

// isGone reports whether the stream is in no table any more.
func (s streamState) isGone() bool { return s == streamForgotten || s == streamOver }

// outState is the state of the half that this side sends. Guarded by writer.mu.
type outState uint8

const (
	outOffered      outState = iota + 1 // unknown to the other side: what is written waits
	outOfferedEnded                     // and all has been written: the end waits, too
	outOpen                             // data goes out as credit allows
	outEnded                            // the end is owed, or sent
	outCut                              // ended within a Write: a reset goes behind the data
	outReset                            // reset by either side: no more data, nor an end
	numOutStates
)

type outEvent uint8

const (
	outOpens  outEvent = iota // the other side is told of it, or has asked for it
	outEnds                   // its user ends it, or the other side reads no more
	outIsCut                  // its user ends it within a Write
	outResets                 // either side
	numOutEvents
)

var outMoves = [numOutStates][numOutEvents]outState{
	outOffered: {
		outOpens:  outOpen,
		outEnds:   outOfferedEnded,
		outIsCut:  outReset, // nothing has been sent that could pass for all
		outResets: outReset,
	},
	outOfferedEnded: {
		outOpens:  outEnded,
		outResets: outReset,
	},
	outOpen: {
		outEnds:   outEnded,
		outIsCut:  outCut,
		outResets: outReset,
	},
	outEnded: {
		outResets: outReset,
	},
	outCut:   {},
	outReset: {},
}

// on moves s as e demands. It reports false if e means nothing in this state.
func (s *outState) on(e outEvent) (moved bool) {
	next := outMoves[*s][e]
	if next == 0 {
		return false
	}
	*s = next
	return true
}

// takesData reports whether a Write may begin.
func (s outState) takesData() bool { return s == outOffered || s == outOpen }

// isKnown reports whether the other side has to be told if the stream is reset now.
func (s outState) isKnown() bool { return s == outOpen || s == outEnded }

// inState is the state of the half that this side receives. Guarded by inStream.mu.
type inState uint8

const (
	inOpen   inState = iota + 1
	inEnded          // by the other side: io.EOF behind what has come
	inCut            // no more comes, and this was not all: an error behind what has come
	inLost           // the link has ended: an error behind what has come, or still comes
	inClosed         // nobody reads here any more: what comes is dropped
	inOver           // and no more comes
	numInStates
)

type inEvent uint8

const (
	inEnds   inEvent = iota // the other side has sent its end
	inIsCut                 // the other side has ended within a Write
	inLoses                 // the link has ended
	inCloses                // this side reads no more, or the other side has reset the stream
	numInEvents
)

var inMoves = [numInStates][numInEvents]inState{
	inOpen: {
		inEnds:   inEnded,
		inIsCut:  inCut,
		inLoses:  inLost,
		inCloses: inClosed,
	},
	inEnded: {
		inCloses: inOver,
	},
	inCut: {
		inCloses: inOver,
	},
	inLost: {
		inEnds:   inCut,
		inIsCut:  inCut,
		inCloses: inClosed,
	},
	inClosed: {
		inEnds:   inOver,
		inIsCut:  inOver,
		inCloses: inClosed, // for another reason
	},
	inOver: {
		inCloses: inOver, // for another reason
	},
}

// on moves s as e demands. It reports false if e means nothing in this state.
func (s *inState) on(e inEvent) (moved bool) {
	next := inMoves[*s][e]
	if next == 0 {
		return false
	}
	*s = next
	return true
}

// noMoreComes reports whether the other side has said all that it will.
func (s inState) noMoreComes() bool { return s == inEnded || s == inCut || s == inOver }

// dropsData reports whether what comes is not kept.
func (s inState) dropsData() bool { return s == inClosed || s == inOver }
