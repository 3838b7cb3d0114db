// Package duplex carries whole messages, and byte streams, both ways over one connection. Nothing
// that a slow or silent receiver does on one side of a conversation stops the other side of it.
//
// # What it assumes
//
// Below it is an ordered, reliable byte stream (a pipe pair, a socket) with a [New] at either end,
// and nothing else that reads or writes there. Its Close must wake its Read and its Write. The
// package knows nothing of calls, encodings or processes. What comes from the other side is not
// trusted: at worst it ends the link, with a [*ProtocolError].
//
// # What it promises
//
//   - Messages arrive whole and once, or not at all. Within a class, those of one frame keep their
//     order. Longer ones arrive when they are complete.
//   - Notifications are one ordered queue, whatever their length: the next one's first byte follows
//     the last one's last byte.
//   - Three classes of messages travel each way: calls, replies and notifications. Each has credit
//     of its own, granted by the receiver, and none waits for another.
//   - A message longer than one frame goes out in pieces, between which all other messages pass. It
//     delays a small one by a few frames at most.
//   - Byte streams run beside the messages. Each is a [net.Conn] with credit of its own: one that
//     nobody reads takes its window and holds up nothing.
//   - Memory is bounded: what is queued for sending by Options.SendQueue (further senders wait),
//     what has been received by the credit granted.
//   - The reader waits for nothing but the connection, and never writes. So two sides that flood
//     each other both go on reading.
//   - What can block ends with its context, its deadline, or the link.
//   - With Options.Checksum, which both sides must set, what was damaged, lost, doubled or put in on
//     the way ends the link with a [*ChecksumError], and has no effect.
//   - The link ends in order where both sides want it: see [Conn.Shutdown]. An end that was not
//     orderly never reads as an orderly one.
//
// # Lanes and streams
//
// A [Conn] has two lanes. The client lane sends calls and notifications and receives replies. The
// server lane receives calls and notifications and sends replies.
//
//	this side                             other side
//	ClientLane  -- calls, notifications -->  ServerLane
//	            <-- replies --------------
//	ServerLane  <-- calls, notifications --  ClientLane
//	            --- replies ------------->
//
// Either side opens streams ([Conn.Open]), which the other one accepts ([Conn.Accept],
// [Conn.Listener]). Or it offers them, by a name to be sent in a message ([Conn.Offer],
// [Conn.OpenOffer]).
//
// What is sent goes in this order: control frames (credit, grants, the beginning and end of
// streams); messages of one frame, the beginnings of longer ones, and small writes to streams; then
// pieces of long messages and of what is written to streams. These take turns, and one at least
// goes with each 64 KiB. Where a pipe holds more while nothing small goes through it, as between
// parent and child on Linux, nothing long goes behind something small until the other side has read
// what was there before.
//
// The bytes on the wire are described in PROTOCOL.md, section Frames.
//
// # Who runs
//
// Each Conn has two goroutines, the reader and the writer, which end with it. Besides, a sender
// that finds nobody writing writes its message itself, where the connection can do so without
// waiting (WriteNow, see [New]).
package duplex
