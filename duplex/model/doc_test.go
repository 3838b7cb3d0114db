// Package model is a small model of a duplex link, and a search of all that can happen in it. It
// has no code for users: it is here so that a change of the rules can be tried before it is made,
// and so that the reason for each is there to be seen, as a run that goes wrong without it.
//
// # What is modelled
//
// Two sides, A and B, and a pipe each way that holds a few frames. A frame is the unit of
// everything: a message has one frame or several, a stream so many units of data. The rules are
// those of PROTOCOL.md, section Frames. On each side there are
//
//   - threads: programs that call and send notifications, one after another
//   - a writer, which puts one frame after another into its pipe: control first,
//     then what starts a message, as credit allows, then pieces in rotation; a
//     piece after so many messages at least
//   - a reader, which waits for nothing but its pipe
//   - a worker for each call that comes in, and one handler for all notifications,
//     which may call and send notifications themselves. A side that waits for the other one
//     releases notifications early, which is to give their credit back before their turn, up to a
//     bound
//   - apps with their ends of byte streams: they open, accept, refuse, give up, read, end, stop, reset
//   - Shutdown, called on either side or both
//
// Each takes its next step at any time, or never if the scenario says so. Time does not pass: a
// slow handler is one that has not run yet.
//
// # What is checked
//
// In every state: the bounds of what is held (see invariant), and that no frame is a protocol
// error. When the link ends in order: that it cuts nothing off. In every state in which nobody can
// do anything: that what was accepted has been delivered once and handled, each call answered, each
// stream read to its end, or its sender told otherwise (see unfinished). And no state comes again,
// so every run comes to such an end.
//
// # How
//
// A state is a value without pointers: it is copied by assignment, and known again by its hash, of
// 64 bits. Small scenarios are searched whole, breadth first, so that a failure prints a shortest
// run. Larger ones, made at random, are walked through at random. Each of mutants breaks one rule,
// and a scenario has to show it. What the rules do not mend is in circles, and in TestMutual.
//
//	go test ./duplex/model -v                         the states of each scenario, and a run against each mutant
//	go test ./duplex/model -model.deep -timeout 1h    more room, and many more walks: some minutes
//	go test ./duplex/model -run Walks -model.seed 17  the walk that a failure has named
//
// # What is left out
//
// Bytes, and all that is decided by looking at them; ping, pong and urgent messages, with the
// cancelling of calls; aborted replies; Close and the loss of a link; a peer that breaks the rules;
// offers of streams, and windows that grow; notifications that are handled at once, and who waits
// until all is sent. Credit is there from the start, ids are those of the scenario.
package model
