package model

import (
	"flag"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutants are the rules broken one at a time, with the scenarios that must show why not.
var mutants = []mutant{
	{readerWaitsForLane, "the reader waits until the lane has taken a message", messages},
	{readerWrites, "the reader waits for room to answer", messages},
	{oneCredit, "all classes share one credit", messages},
	{overtake, "a small notification may overtake a large one", messages},
	{noGrants, "large messages are sent without grants, against credit for all of them", messages},
	{grantsAtOnce, "grants are unbounded", messages},
	{callTakenAtItsEnd, "credit for a call returns when its handler ends", messages},
	{abortKeepsCredit, "abort does not give credit back", messages},
	{abortKeepsGrant, "abort does not give the grant back", messages},
	{piecesLast, "pieces are sent only when nothing else is", messages},

	{neverEarly, "credit for a notification returns only at its turn", mutual(1, 2)},
	{earlyNotForCalls, "who waits for a reply releases nothing early", mutual(1, 2)},
	{earlyNotForSenders, "who waits to send a message releases nothing early", mutual(1, 2)},
	{earlyNotForOpens, "who waits for a stream to be accepted releases nothing early", mutual(1, 2)},
	{earlyNotForStreams, "who waits to write to a stream releases nothing early", mutual(1, 2)},
	{earlyNotOnArrival, "what comes while this side waits is not released early", mutual(1, 2)},
	{earlyNotOnWait, "what has come before this side waits is not released early", mutual(1, 2)},
	{earlyNotOnTurn, "nothing more is released early when the turn of one that was has come", mutual(1, 2)},
	{earlyAlways, "who waits for nothing releases notifications early, too", messages},
	{earlyUnbounded, "what is released early is unbounded", mutual(1, 2)},
	{earlyForGood, "what is released early counts for ever", mutual(1, 2)},
	{releasedTwice, "what was released early is released again at its turn", mutual(1, 2)},

	{streamUsesNotificationCredit, "streams use the credit of the notification class", streams},
	{streamsShareCredit, "streams share one credit", streams},
	{forgottenIsError, "a frame for a stream that is forgotten is an error", streams},
	{stopUnanswered, "stop is not answered by end", streams},
	{freedBeforeReset, "an open that is given up does not count any more, though its reset may go out later than the next open", streams},
	{staysOwed, "the answer to an open that has been given up is still sent", streams},

	{idleNotCompared, "the number in idle is not compared", shutdowns()},
	{byeWhenIdle, "bye is sent without the other side's idle", shutdowns()},
	{nestedRefused, "handlers in flight may not send", shutdowns()},
	{idleOnce, "idle is sent once", shutdowns()},
	{idleByEdge, "idle is sent again when it has been busy, not when the number has changed", shutdowns()},
	{countedAtFirst, "a long message is counted with its first frame", shutdowns()},
	{opensUncounted, "streams are not counted", shutdowns()},
	{anyoneWhileServing, "everybody may send while a handler is in flight", shutdowns()},
	{onlyShutterRefuses, "only the side that shuts down refuses streams that nobody accepts", shutdowns()},
	{endDropsUnread, "what has not been read when the link ends is lost", shutdowns()},
	{earlyUncounted, "an orderly end does not wait for notifications that were released early", shutdowns()},
}

type mutant struct {
	broken rule
	name   string
	in     []scenario
}

// TestMutants needs a fault of every rule broken.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			for _, sc := range m.in {
				if f := explore(newModel(sc, m.broken), 100_000); f.fault != "" {
					t.Logf("%s: %d states: %v", sc.name, f.states, f)
					return
				}
			}
			t.Error("no scenario shows what is wrong with this")
		})
	}
}

// TestEachRuleIsBroken keeps the list of mutants complete.
func TestEachRuleIsBroken(t *testing.T) {
	for r := unbroken + 1; r < heardStays; r++ {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return m.broken == r }) {
			t.Errorf("rule %d has no mutant", r)
		}
	}
}

// TestCircles has what no rule of the link mends: if one of these gets through,
// the model does not see what it should.
func TestCircles(t *testing.T) {
	for _, c := range circles {
		t.Run(c.name, func(t *testing.T) {
			f := explore(newModel(c.scenario, unbroken), 100_000)
			require.Contains(t, f.fault, c.fault)
			t.Logf("%d states: %v", f.states, f)
		})
	}
}

// spareStates bounds TestSpare, of which no promise depends.
var spareStates = flag.Int("model.spare", 5_000, "how many states of a scenario TestSpare visits")

// TestSpare has rules that would do as well.
func TestSpare(t *testing.T) {
	for _, r := range []struct {
		broken rule
		name   string
	}{
		// It is the other way round: whoever is idle, having received all, has nobody
		// who could begin anything, so nothing comes behind an idle that says so.
		{heardStays, "an idle holds though something has come since"},
		// It costs handlers what they may need, and mends the circle of notification handlers that
		// answer each other.
		{onlyCallsInFlight, "handlers in flight may call, and not send notifications"},
	} {
		t.Run(r.name, func(t *testing.T) {
			list := shutdowns()
			if r.broken == onlyCallsInFlight {
				list = append(list, pingPong)
			}
			for _, sc := range list {
				require.Empty(t, explore(newModel(sc, r.broken), *spareStates).fault, sc.name)
			}
		})
	}
}
