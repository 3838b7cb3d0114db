package duplex

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// walk checks that on makes of each state and event what want says, and nothing of any other pair.
func walk[S, E ~uint8](t *testing.T, states S, events E, on func(*S, E) bool, want map[S]map[E]S) {
	t.Helper()
	for from := S(1); from < states; from++ {
		for e := range events {
			to := from
			next, legal := want[from][e]
			require.Equal(t, legal, on(&to, e), "event %d in state %d", e, from)
			if !legal {
				next = from
			}
			require.Equal(t, next, to, "event %d in state %d", e, from)
		}
	}
}

// TestStreamMoves walks the tables: each move that is legal happens, and each other one is refused
// and leaves the state as it was.
func TestStreamMoves(t *testing.T) {
	whole := map[streamState]map[streamEvent]streamState{
		streamNew: {streamIsOffered: streamOffered, streamIsAsked: streamAsked, streamComes: streamWaiting,
			streamEndsAtOnce: streamOver},
		streamOpen:      {streamHalfEnds: streamHalfEnded},
		streamHalfEnded: {streamHalfEnds: streamForgotten},
		streamForgotten: {streamIsReadToLast: streamOver},
	}
	for _, s := range []streamState{streamOffered, streamAsked, streamWaiting} {
		whole[s] = map[streamEvent]streamState{streamIsAccepted: streamOpen}
	}
	for _, s := range []streamState{streamOffered, streamAsked, streamWaiting, streamOpen, streamHalfEnded} {
		whole[s][streamEndsAtOnce], whole[s][streamLosesLink] = streamForgotten, streamForgotten
	}
	walk(t, numStreamStates, numStreamEvents, (*streamState).on, whole)

	walk(t, numOutStates, numOutEvents, (*outState).on, map[outState]map[outEvent]outState{
		outOffered:      {outOpens: outOpen, outEnds: outOfferedEnded, outIsCut: outReset, outResets: outReset},
		outOfferedEnded: {outOpens: outEnded, outResets: outReset},
		outOpen:         {outEnds: outEnded, outIsCut: outCut, outResets: outReset},
		outEnded:        {outResets: outReset},
	})

	walk(t, numInStates, numInEvents, (*inState).on, map[inState]map[inEvent]inState{
		inOpen:   {inEnds: inEnded, inIsCut: inCut, inLoses: inLost, inCloses: inClosed},
		inEnded:  {inCloses: inOver},
		inCut:    {inCloses: inOver},
		inLost:   {inEnds: inCut, inIsCut: inCut, inCloses: inClosed},
		inClosed: {inEnds: inOver, inIsCut: inOver, inCloses: inClosed},
		inOver:   {inCloses: inOver},
	})
}

// TestStreamReceivingHalf: what each state makes of what comes, and what Read then gets.
func TestStreamReceivingHalf(t *testing.T) {
	reason := errors.New("reason")
	lives := []struct {
		name  string
		lead  func(in *inStream) // to the state
		state inState
		takes bool  // data that comes
		keeps bool  // it
		ends  bool  // an end that comes
		err   error // of Read, behind the data
	}{
		{"open", func(in *inStream) {}, inOpen, true, true, true, nil},
		{"ended", func(in *inStream) { in.end() }, inEnded, false, true, false, io.EOF},
		{"cut", func(in *inStream) { in.cut() }, inCut, false, true, false, ErrReset},
		{"lost", func(in *inStream) { in.lose() }, inLost, true, true, true, errEnded},
		{"lost, ended", func(in *inStream) { in.lose(); in.end() }, inCut, false, true, false, errEnded},
		{"ended, lost", func(in *inStream) { in.end(); in.lose() }, inEnded, false, true, false, io.EOF},
		{"ended, cut", func(in *inStream) { in.end(); in.cut() }, inEnded, false, true, false, io.EOF},
		{"closed", func(in *inStream) { in.close(reason) }, inClosed, true, false, true, reason},
		{"closed, lost", func(in *inStream) { in.close(reason); in.lose() }, inClosed, true, false, true, reason},
		{"closed, ended", func(in *inStream) { in.close(reason); in.end() }, inOver, false, false, false, reason},
		{"ended, closed", func(in *inStream) { in.end(); in.close(reason) }, inOver, false, false, false, reason},
		{"lost, closed", func(in *inStream) { in.lose(); in.close(reason) }, inClosed, true, false, true, reason},
	}
	for _, l := range lives {
		t.Run(l.name, func(t *testing.T) {
			made := func() *inStream {
				in := &inStream{state: inOpen, changed: make(chan struct{}, 1), window: 100, limit: 100}
				in.grantWindow()
				require.NoError(t, in.arrive(4))
				in.add([]byte("data"))
				l.lead(in)
				require.Equal(t, l.state, in.state)
				return in
			}
			in := made()
			if l.keeps {
				n, _, err := in.take(make([]byte, 10))
				require.NoError(t, err)
				require.Equal(t, 4, n)
			}
			_, _, err := in.take(make([]byte, 10))
			require.Equal(t, l.err, err)
			require.Equal(t, !l.takes, in.isReadToLast())

			in = made()
			if err := in.arrive(3); l.takes {
				require.NoError(t, err)
				in.add([]byte("and"))
			} else {
				require.ErrorContains(t, err, "behind the end")
			}
			want := map[bool]int{true: 4}[l.keeps]
			if l.takes && l.keeps {
				want = 7
			}
			require.Equal(t, want, in.chunks.size)
			require.Equal(t, l.ends, in.end())
			require.False(t, in.end(), "a second end")

			in = made()
			require.Equal(t, l.takes, in.close(net.ErrClosed), "whether the other side may still send")
			require.True(t, in.isEmpty())
			_, _, err = in.take(make([]byte, 10))
			require.Equal(t, net.ErrClosed, err)
		})
	}
}

// TestStreamSendingHalf: what each state makes of what its user and the other side do, and what is
// then owed.
func TestStreamSendingHalf(t *testing.T) {
	reason := errors.New("reason")
	const id = 7
	open := func(o *outStream) { o.open(id, 100) }
	lives := []struct {
		name  string
		lead  func(o *outStream) // to the state
		state outState
		err   error // of Write
		ends  bool  // an end of the user
		reset bool  // a reset has to be told
	}{
		{"offered", func(o *outStream) {}, outOffered, nil, true, false},
		{"offered, ended", func(o *outStream) { o.end(reason) }, outOfferedEnded, reason, false, false},
		{"offered, cut", func(o *outStream) { o.reset(resetCut, reason, streamOffered) }, outReset, reason, false, false},
		{"offered, reset", func(o *outStream) { o.reset(resetByUser, reason, streamOffered) }, outReset, reason, false, false},
		{"open", open, outOpen, nil, true, true},
		{"ended", func(o *outStream) { open(o); o.end(reason) }, outEnded, reason, false, true},
		{"ended, opened", func(o *outStream) { o.end(reason); open(o) }, outEnded, reason, false, true},
		{"cut", func(o *outStream) { open(o); o.reset(resetCut, reason, streamOpen) }, outCut, reason, false, false},
		{"reset", func(o *outStream) { open(o); o.reset(resetByUser, reason, streamOpen) }, outReset, reason, false, false},
		{"dropped", func(o *outStream) { open(o); o.drop(reason) }, outReset, reason, false, false},
	}
	for _, l := range lives {
		t.Run(l.name, func(t *testing.T) {
			made := func() *outStream {
				w := &writer{done: make(chan struct{}), owed: owed{answers: make(map[uint32]*outStream)}}
				o := &outStream{w: w, state: outOffered, wrote: make(chan struct{}, 1)}
				l.lead(o)
				require.Equal(t, l.state, o.state)
				require.Equal(t, map[bool]int{true: 1}[l.state == outEnded || l.state == outCut], len(w.owed.ends), "ends owed")
				return o
			}
			o := made()
			require.Equal(t, l.err, o.writeErr())
			credit := o.credit
			require.NoError(t, o.addCredit(5))
			require.Equal(t, l.err == nil, o.credit == credit+5, "credit is kept where it may be used")

			require.Equal(t, l.ends, o.end(net.ErrClosed))
			require.False(t, o.end(net.ErrClosed), "a second end")
			if l.err != nil {
				require.Equal(t, l.err, o.writeErr(), "the first reason counts")
			}

			o = made()
			owed := o.due[dueReset]
			o.reset(resetByUser, net.ErrClosed, streamOpen)
			require.Equal(t, owed || l.reset, o.due[dueReset])
			require.Error(t, o.writeErr())

			o = made()
			o.drop(ErrReset)
			require.Error(t, o.writeErr())
			require.Empty(t, o.w.owed.ends)
			require.Empty(t, o.w.owed.streams)
		})
	}
}
