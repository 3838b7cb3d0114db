package model

import "slices"

// These are small enough to be searched whole.

var messages = []scenario{
	{
		name: "calls both ways, of all sizes",
		work: []thread{on(A, calls(1, 3)), on(A, calls(2, 1)), on(B, calls(3, 2))},
	},
	{
		name: "messages larger than the window, two of a class",
		work: []thread{on(A, calls(3, 1)), on(A, calls(3, 1)), on(A, tells(3)), on(A, tells(2))},
	},
	{
		name: "large messages, two granted at once", window: 2, limit: 4,
		work: []thread{on(A, calls(3, 1)), on(A, calls(3, 1)), on(A, calls(3, 1))},
	},
	{
		name: "messages that overdraw", window: 2, pipe: 2,
		work: []thread{on(A, calls(1, 1).costs(3)), on(A, calls(1, 1)), on(A, tells(1).costs(3), tells(1).costs(2))},
	},
	{
		name: "small notifications behind a large one", window: 2,
		work: []thread{on(A, tells(3)), on(A, tells(1)), on(A, tells(1), calls(1, 1))},
	},
	{
		name: "calls nested four deep, both ways",
		work: []thread{
			on(A, calls(1, 1, calls(1, 1, calls(1, 1, calls(1, 1))))),
			on(B, calls(1, 1, calls(1, 1, calls(1, 1, calls(1, 1))))),
		},
	},
	{
		name: "nested calls beside notifications that nobody takes", mute: [2]bool{true, true},
		work: []thread{on(A, tells(2)), on(A, tells(1)), on(B, tells(1)), on(B, tells(2)), on(A, calls(1, 2, calls(1, 1)))},
	},
	{
		name: "notification handlers that call",
		work: []thread{on(A, tells(1, calls(1, 1))), on(A, tells(2, calls(2, 1))), on(B, tells(1, calls(1, 1)))},
	},
	{
		name: "senders that give up",
		work: []thread{on(A, tells(3).orGivesUp(), tells(1)), on(A, calls(3, 1).orGivesUp()), on(A, calls(2, 1))},
	},
	{
		name: "a sender that gives up, two granted at once", window: 2, limit: 3, loose: true,
		work: []thread{on(A, calls(3, 1).orGivesUp()), on(A, calls(2, 1)), on(A, calls(3, 1))},
	},
	{
		name: "a large message beside many small ones", window: 2, every: 2,
		work: []thread{on(A, calls(3, 1)), on(A, tells(1), tells(1)), on(A, tells(1), tells(1)), on(A, tells(1))},
	},
	{
		name: "notifications to a side that waits for nothing", early: [2]int{9, 9},
		work: []thread{on(A, tells(1), tells(2)), on(A, tells(1))},
	},
	{
		name: "more notifications than are released early, to a side that calls", early: [2]int{A: 3},
		work: []thread{on(A, calls(1, 1), calls(1, 1)), on(B, tells(1), tells(2)), on(B, tells(1)), on(B, tells(1).costs(2))},
	},
}

var streams = []scenario{
	{
		name:    "a stream both ways",
		streams: []stream{{units: [2]int{2, 2}}},
	},
	{
		name: "a stream both ways, frames in any order", window: 2, pipe: 2, loose: true,
		streams: []stream{{units: [2]int{3, 2}}},
	},
	{
		name: "a stream that both sides stop", window: 2,
		streams: []stream{{units: [2]int{3, 3}, reads: [2]int{stopsAtOnce, 1}}},
	},
	{
		name: "a stream that is reset", window: 2, pipe: 2,
		streams: []stream{{units: [2]int{2, 2}, resets: [2]bool{true, true}, reads: [2]int{readsAll, 1}}},
	},
	{
		name: "streams refused and given up",
		streams: []stream{
			{mayBeRefused: true, mayBeGivenUp: true, resets: [2]bool{true, true}},
			{mayBeRefused: true, mayBeGivenUp: true, units: [2]int{1, 0}},
			{mayBeRefused: true, mayBeGivenUp: true},
		},
	},
	{
		name: "streams refused and given up, frames in any order", pipe: 2, loose: true,
		streams: []stream{
			{mayBeRefused: true, mayBeGivenUp: true},
			{mayBeRefused: true, mayBeGivenUp: true},
		},
	},
	{
		name:    "streams both ways, one that nobody answers",
		streams: []stream{{opener: B, units: [2]int{1, 1}}, {opener: A, ignored: true}},
	},
	{
		name:    "a stream that nobody reads, beside another",
		streams: []stream{{units: [2]int{2, 0}, reads: unread}, {units: [2]int{2, 0}}},
	},
	{
		name:    "a stream that nobody reads, beside calls and notifications",
		work:    []thread{on(A, tells(1), tells(2)), on(B, calls(1, 1))},
		streams: []stream{{units: [2]int{2, 0}, reads: unread}},
	},
	{
		name:    "a stream beside notifications that nobody takes",
		mute:    [2]bool{false, true},
		work:    []thread{on(A, tells(1)), on(A, tells(2))},
		streams: []stream{{units: [2]int{2, 1}}},
	},
	{
		name: "a stream beside a large message", window: 2,
		work:    []thread{on(A, calls(3, 1))},
		streams: []stream{{units: [2]int{3, 1}}},
	},
}

var unread = [2]int{readsAll, readsNothing}

// shutdowns are scenarios of Shutdown.
func shutdowns() []scenario { return shutDown(slices.Concat(shutdownOf, mutual(1, 1))) }

// shutDown is each of scenarios with Shutdown called by either side and by both.
func shutDown(scenarios []scenario) (list []scenario) {
	for _, who := range []struct {
		name string
		shut [2]bool
	}{{"A", [2]bool{true, false}}, {"B", [2]bool{false, true}}, {"both", [2]bool{true, true}}} {
		for _, sc := range scenarios {
			sc.name = who.name + " shut down: " + sc.name
			sc.shut = who.shut
			list = append(list, sc)
		}
	}
	return list
}

var shutdownOf = []scenario{
	{
		name: "calls",
		work: []thread{on(A, calls(1, 1)), on(B, calls(1, 2))},
	},
	{
		name: "notifications",
		work: []thread{on(A, tells(1), tells(1)), on(B, tells(1))},
	},
	{
		name: "notifications in a longer pipe", pipe: 3,
		work: []thread{on(A, tells(1)), on(A, tells(1))},
	},
	{
		name: "long notifications", pipe: 2,
		work: []thread{on(A, tells(3)), on(B, tells(2))},
	},
	{
		name: "a long notification that may be given up",
		work: []thread{on(A, tells(2).orGivesUp()), on(B, tells(1))},
	},
	{
		name: "a long call that may be given up",
		work: []thread{on(A, calls(3, 1).orGivesUp()), on(A, calls(1, 1))},
	},
	{
		name: "nested calls",
		work: []thread{on(A, calls(1, 1, calls(1, 1, calls(1, 2)))), on(B, calls(1, 1, calls(1, 1)))},
	},
	{
		name: "notification handlers that call",
		work: []thread{on(A, tells(1, calls(1, 1))), on(B, tells(1, calls(1, 1, calls(1, 1))))},
	},
	{
		name: "handlers that call and tell",
		work: []thread{on(A, tells(1, calls(1, 1, tells(1)), tells(1)))},
	},
	{
		name:    "a stream",
		streams: []stream{{units: [2]int{2, 1}}},
	},
	{
		name:    "a stream that may be reset",
		streams: []stream{{resets: [2]bool{true, true}}},
	},
	{
		name:    "a stream and a notification",
		work:    []thread{on(B, tells(1))},
		streams: []stream{{units: [2]int{1, 1}}},
	},
	{
		name: "streams refused and given up",
		streams: []stream{
			{mayBeRefused: true, mayBeGivenUp: true},
			{mayBeGivenUp: true, units: [2]int{1, 1}, resets: [2]bool{true, true}},
		},
	},
	{
		name:    "a stream that is stopped and reset",
		streams: []stream{{units: [2]int{2, 2}, reads: [2]int{readsAll, stopsAtOnce}, resets: [2]bool{true, true}}},
	},
	{
		name:    "a stream that nobody answers",
		streams: []stream{{ignored: true}},
	},
	{
		name: "threads that call for ever", atOnce: true, modulo: 8,
		work: []thread{{on: A, steps: []spec{calls(1, 1)}, forever: true}, {on: B, steps: []spec{calls(1, 1)}, forever: true}},
	},
}

// circles are ways in which the apps wait for each other, or keep each other busy, for ever. There
// are more of them beyond the bound on what is released early: see TestMutual.
var circles = []struct {
	scenario
	fault string
}{
	{scenario: pingPong, fault: "for ever"},
}

var pingPong = scenario{
	name: "notification handlers answer each other, and one side shuts down",
	shut: [2]bool{false, true}, atOnce: true, modulo: 8,
	work:  []thread{on(A, tells(1, tells(1, tells(1, tells(1)))))},
	again: [][2]uint8{{3, 0}},
}
