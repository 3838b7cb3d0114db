package main

import (
	"slices"
	"strings"
	"time"
)

// A lie is something that a raw child says and no peer does.
type lie struct {
	group, name string

	hello   func(r *raw)                                            // it is told instead of a hello
	say     func(r *raw, id uint32)                                 // at the first call, whose msgid is id
	onFrame func(r *raw, kind byte, id uint32, payload []byte) bool // of the parent: whether that has been dealt with
	answers bool                                                    // say has answered the call, or nobody will
	beside  bool                                                    // the child reads on meanwhile
	miser   bool                                                    // it grants no credit

	then deed    // what the victim does besides
	want outcome // any of them; 0: whatever comes
}

// outcome is what has become of the victim's link.
type outcome uint8

const (
	refused  outcome = 1 << iota // Start has returned an error
	ended                        // the link has ended, with an error
	failed                       // a call has failed, and the link is as before
	late                         // a call has ended with its context, and the link is as before
	harmless                     // all was as with a peer
)

var outcomes = []struct {
	outcome
	name string
}{{refused, "refused"}, {ended, "link ended"}, {failed, "call failed"}, {late, "call given up"}, {harmless, "harmless"}}

func (o outcome) String() string {
	var names []string
	for _, of := range outcomes {
		if o&of.outcome != 0 {
			names = append(names, of.name)
		}
	}
	return strings.Join(names, " or ")
}

// floodTime is how long a flood lasts.
const floodTime = 300 * time.Millisecond

// says returns a lie that is just bytes.
func says(parts ...[]byte) func(*raw, uint32) {
	return func(r *raw, _ uint32) { r.write(slices.Concat(parts...)) }
}

// saysTimes writes each(i) for i below n, as fast as it can.
func saysTimes(n int, each func(i int) []byte) func(*raw, uint32) {
	return func(r *raw, _ uint32) { times(r, n, each) }
}

func times(r *raw, n int, each func(i int) []byte) error {
	var b []byte
	for i := range n {
		if b = append(b, each(i)...); len(b) > 60_000 || i == n-1 {
			if err := r.write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// floods writes each(i) for as long as a flood lasts, and 20,000 times at least, also where that takes
// longer.
func floods(each func(i int) []byte) func(*raw, uint32) {
	return func(r *raw, _ uint32) {
		i := 0
		for begin := time.Now(); time.Since(begin) < floodTime || i < 20_000; {
			if times(r, 200, func(int) []byte {
				i++
				return each(i)
			}) != nil {
				return
			}
		}
	}
}

// same is each of a flood that always says the same.
func same(parts ...[]byte) func(int) []byte {
	b := slices.Concat(parts...)
	return func(int) []byte { return b }
}

// tells returns a lie that answers the call with what f returns.
func tells(f func(id uint32) []byte) func(*raw, uint32) {
	return func(r *raw, id uint32) { r.write(f(id)) }
}

// results is a reply with that result.
func results(b []byte) func(*raw, uint32) {
	return tells(func(id uint32) []byte { return whole(reply, response(id, nil, b)) })
}

// failures is a reply with that error.
func failures(b []byte) func(*raw, uint32) {
	return tells(func(id uint32) []byte { return whole(reply, response(id, b, null)) })
}

// whole is a message of a class, in as many frames as it needs. One of 128 KiB or more is written
// without waiting for its grant, which the victim of a window as large may take for a lie.
func whole(class byte, msg []byte) []byte {
	if len(msg) <= most {
		return frame(kindWhole+class, 0, msg)
	}
	const begin = most - 8
	b := first(class, 1, uint64(len(msg)), msg[:begin])
	for rest := range slices.Chunk(msg[begin:], most) {
		b = append(b, frame(kindPiece+class, 1, rest)...)
	}
	return b
}

// drips writes b byte by byte.
func drips(r *raw, b []byte, pause time.Duration) {
	for i := range b {
		if r.write(b[i:i+1]) != nil {
			return
		}
		if pause > 0 {
			<-time.After(pause)
		}
	}
}

// allLies are the lies that a raw child knows.
func allLies() (list []lie) {
	for _, of := range []struct {
		group string
		lies  []lie
	}{
		{"hello", helloLies()}, {"frames", frameLies()}, {"credit", creditLies()}, {"messages", messageLies()}, {"replies", replyLies()},
		{"streams", streamLies()}, {"end", endLies()}, {"pace", paceLies()},
	} {
		for _, l := range of.lies {
			l.group = of.group
			list = append(list, l)
		}
	}
	return list
}
