// Package duplex carries whole messages both ways over one connection, so that
// nothing a slow or silent receiver does on one side of a conversation stops
// the other side of it.
//
// It assumes below it an ordered, reliable byte stream (a pipe pair, a socket)
// with a [New] at either end. It knows nothing of calls, encodings or
// processes. Above it promises:
//
//   - Messages arrive whole and once. Within a class, those of one frame keep their order;
//     longer ones arrive when they are complete, except in the one-way class, which keeps the order of all.
//   - Three classes of messages travel each way: calls, replies and one-way
//     messages. Each has credit of its own, granted by the receiver; none waits for another.
//   - A message longer than one frame goes out in pieces, between which all
//     other messages pass. It delays a small one by a few frames at most.
//   - One-way messages are one ordered queue: the next one's first byte follows the last one's last byte.
//   - Byte streams run beside the messages: each is a [net.Conn] with credit of
//     its own, so that one that nobody reads costs its window and holds up nothing.
//   - Memory is bounded: what is queued for sending by Options.SendQueue
//     (further senders wait), what has been received by the credit granted.
//   - The reader waits for nothing but the connection; it never writes. So two
//     sides that flood each other both go on reading.
//   - Whatever can block ends with its context or with the connection.
//   - The link ends in order where both sides want it: see [Conn.Shutdown].
//
// A [Conn] has two lanes. The client lane sends calls and one-way messages and
// receives replies; the server lane receives calls and one-way messages and
// sends replies.
//
//	this side                        other side
//	ClientLane  -- calls, one-way -->  ServerLane
//	            <-- replies ---------
//	ServerLane  <-- calls, one-way --  ClientLane
//	            --- replies -------->
//
// Either side opens streams ([Conn.Open]), which the other one accepts
// ([Conn.Accept], [Conn.Listener]), or offers them by a name to be sent in a message ([Conn.Offer],
// [Conn.OpenOffer]). What is sent goes in this order: control frames (credit,
// grants, the beginning and end of streams), messages of one frame and the beginnings of longer
// ones, small writes to streams, and, taking turns, pieces of long messages and of what is written to
// streams, one at least with each 64 KiB.
//
// The bytes on the wire are described in PROTOCOL.md, section Frames.
//
// # Who runs
//
// Each Conn has two goroutines, the reader and the writer, which end with it.
// Besides, a sender that finds nobody writing writes its message itself where
// the connection can do so without waiting (WriteNow, see [New]).
package duplex
