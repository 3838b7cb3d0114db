package main

import (
	"fmt"
	"slices"
	"time"
)

// frameLies break the rules of a frame, of long messages and of control.
func frameLies() []lie {
	illegal := map[string]func(*raw, uint32){
		"a second byte that is not 0":         says(frameHead(kindPing, 1, 0, 0)),
		"a whole frame of no bytes":           says(frame(kindWhole+reply, 0, nil)),
		"a whole frame of 32,769 bytes":       says(frameHead(kindWhole+reply, 0, most+1, 0)),
		"a whole frame of 65,535 bytes":       says(frameHead(kindWhole+call, 0, 0xffff, 0)),
		"a ping with a payload":               says(frame(kindPing, 0, null)),
		"a pong with a payload":               says(frame(kindPong, 0, null)),
		"a bye with a payload":                says(frame(kindBye, 0, null)),
		"a shutdown with a payload":           says(frame(kindShutdown, 0, null)),
		"an idle with a payload":              says(frame(kindIdle, 0, null)),
		"an abort with a payload":             says(first(call, 1, 100_000, nil), frame(kindAbort, 1, null)),
		"a grant with a payload":              says(frame(kindGrant, 0, null)),
		"a first frame that is not full":      says(frame(kindFirst+call, 1, make([]byte, 100))),
		"a first frame of a short message":    says(first(call, 1, most, nil)),
		"a first frame of no message":         says(first(call, 1, 0, nil)),
		"a first frame over the limit":        says(first(reply, 1, 1<<20+1, nil)),
		"a first frame of 2^63 bytes":         says(first(reply, 1, 1<<63, nil)),
		"a first frame of 2^64-1 bytes":       says(first(notification, 1, 1<<64-1, nil)),
		"an id that is open":                  says(first(call, 1, 100_000, nil), first(call, 1, 100_000, nil)),
		"a piece of nothing":                  says(frame(kindPiece+call, 7, null)),
		"a piece of no bytes":                 says(first(call, 1, 100_000, nil), frame(kindPiece+call, 1, nil)),
		"a piece of another class":            says(first(call, 1, 100_000, nil), frame(kindPiece+reply, 1, null)),
		"more than was announced":             says(first(call, 1, most+1, nil), frame(kindPiece+call, 1, make([]byte, 100))),
		"a piece that nobody has granted":     says(first(call, 1, 1<<20, nil), first(call, 2, 1<<20, nil), first(call, 3, 1<<20, nil), frame(kindPiece+call, 3, null)),
		"an abort of nothing":                 says(frame(kindAbort+call, 7, nil)),
		"an abort twice":                      says(first(call, 1, 100_000, nil), frame(kindAbort, 1, nil), frame(kindAbort, 1, nil)),
		"a piece behind an abort":             says(first(call, 1, 100_000, nil), frame(kindAbort, 1, nil), frame(kindPiece, 1, null)),
		"a notification within another":       says(first(notification, 1, 100_000, nil), notes(note("Service.Note", none))),
		"two notifications at once":           says(first(notification, 1, 100_000, nil), first(notification, 2, 100_000, nil)),
		"a request where replies come":        says(replies(request(1, "Service.Echo", none))),
		"a reply where requests come":         says(calls(response(1, nil, null))),
		"a notification where requests come":  says(calls(note("Service.Note", none))),
		"a request where notifications come":  says(notes(request(1, "Service.Echo", none))),
		"a cancel where notifications come":   says(notes(note("$/cancel", array(num(1))))),
		"an urgent message of 65 bytes":       says(frame(kindUrgent, 0, note("$/cancel", array(num(1), bin(make([]byte, 60)))))),
		"an urgent message that is none":      says(frame(kindUrgent, 0, note("Service.Note", none))),
		"an urgent message that is long":      says(first(3, 1, 100_000, nil)),
		"a grant of class 3":                  says(frame(kindGrant+3, 1, nil)),
		"a credit of class 3":                 says(frame(kindCredit+3, 1, nil)),
		"a header cut off, and the end":       func(r *raw, _ uint32) { r.write([]byte{kindPing, 0, 0}); r.link.Close() },
		"a payload cut off, and the end":      func(r *raw, _ uint32) { r.write(frameHead(kindWhole+reply, 0, 100, 0)); r.link.Close() },
		"a long message cut off, and the end": func(r *raw, _ uint32) { r.write(first(reply, 1, 100_000, nil)); r.link.Close() },
		"the end without a bye":               func(r *raw, _ uint32) { r.link.Close() },
		"a bye":                               says(frame(kindBye, 0, nil)),
		"a bye, and on as before":             floods(same(frame(kindBye, 0, nil), frame(kindPing, 0, nil), calls(request(1, "Service.Echo", none)))),
		"bytes that mean nothing":             floods(same([]byte{0x7f, 0xc1, 0x00, 0x99, 0x03})),
	}
	for _, kind := range []byte{0x00, 0x01, 0x0f, 0x17, 0x1b, 0x1f, 0x28, 0x2f, 0x35, 0x3f, 0x4c, 0x4f, 0x50, 0x7f} {
		illegal[fmt.Sprintf("kind %#02x", kind)] = says(frame(kind, 0, nil))
	}
	var list []lie
	for name, say := range illegal {
		list = append(list, lie{name: name, say: say, want: ended})
	}
	slices.SortFunc(list, byName)
	return append(list,
		lie{name: "a grant of nothing", say: says(frame(kindGrant+call, 9, nil)), want: harmless},
		lie{name: "a pong that nobody wants", say: says(frame(kindPong, 9, nil)), want: harmless},
		lie{name: "kinds from 0x80 on, 64 MiB", say: saysTimes(1024, same(frameHead(0xff, 0xff, 0xffff, 1), make([]byte, 0xffff))), want: harmless},
		lie{name: "a kind from 0x80 on, cut off", say: says(frameHead(0x80, 0, 0xffff, 1)), answers: true, want: late},
		lie{name: "long calls begun and never ended", say: saysTimes(8, func(i int) []byte { return first(call, uint32(i), 1<<20, nil) }), want: harmless},
		lie{name: "a long notification begun and never ended", say: says(first(notification, 1, 1<<20, nil)), want: harmless},
		lie{name: "long replies begun and never ended", say: saysTimes(7, func(i int) []byte { return first(reply, uint32(i), 1<<20, nil) }), want: harmless},
		lie{name: "long calls begun and aborted, 300 MiB", beside: true, say: func(r *raw, _ uint32) {
			for i := range uint32(10_000) {
				if r.write(slices.Concat(first(call, i, 1<<20, nil), frame(kindAbort, i, nil))) != nil {
					return
				}
			}
		}, want: harmless | ended},
		lie{name: "a header in three bytes, then nothing", say: says([]byte{kindPing, 0, 0}), answers: true, want: late | ended},
		lie{name: "a payload that does not come", say: says(frameHead(kindWhole+reply, 0, 100, 0)), answers: true, want: late},
	)
}

// creditLies are about credit, and about what floods.
func creditLies() []lie {
	block := request(1000, "Service.Block", none)
	return []lie{
		{name: "a credit of 0", say: says(frame(kindCredit+call, 0, nil)), want: ended},
		{name: "a credit above 2^30", say: says(frame(kindCredit+call, 1<<30+1, nil)), want: ended},
		{name: "a credit of 2^32-1", say: says(frame(kindCredit+reply, 1<<32-1, nil)), want: ended},
		{name: "credits that add up to more than 2^30", say: saysTimes(40, same(frame(kindCredit+notification, 1<<28, nil))), want: ended},
		{name: "a million credits of 1", say: saysTimes(1_000_000, same(frame(kindCredit+call, 1, nil))), want: harmless},
		{name: "pings, and no reading", say: floods(same(frame(kindPing, 1, nil))), want: harmless},
		{name: "pings, and reading", say: floods(same(frame(kindPing, 1, nil))), beside: true, want: harmless},
		{name: "pongs", say: floods(same(frame(kindPong, 1, nil))), want: harmless},
		{name: "grants of nothing", say: floods(same(frame(kindGrant+reply, 1, nil))), want: harmless},
		{name: "calls beyond the credit, and no reading", say: floods(func(i int) []byte {
			return calls(request(uint32(i), "Service.Block", none))
		}), want: ended},
		{name: "large calls beyond the credit, and no reading", say: floods(func(i int) []byte {
			return calls(request(uint32(i), "Service.Block", array(bin(make([]byte, 32_000)))))
		}), want: ended},
		{name: "calls that never return, and reading", say: floods(func(i int) []byte {
			return calls(request(uint32(i), "Service.Block", none))
		}), beside: true, want: ended | harmless},
		{name: "calls of the same msgid", say: floods(same(calls(block))), beside: true},
		{name: "notifications beyond the credit", say: floods(same(notes(note("Service.Block", none)))), want: ended | harmless},
		{name: "notifications of no method", say: floods(same(notes(note("Nothing", none)))), beside: true},
		{name: "calls of no method, and reading", say: floods(same(calls(request(1, "Nothing", none)))), beside: true},
		{name: "calls of no method, and no reading", say: floods(same(calls(request(1, "Nothing", none)))), want: ended},
		{name: "replies to nothing", say: floods(same(replies(response(77_777, nil, null)))), beside: true},
		{name: "long replies beyond what is granted", say: floods(func(i int) []byte { return first(reply, uint32(i), 1<<20, nil) }), want: ended},
		{name: "cancels of nothing", say: floods(same(cancel(array(num(4_000_000))))), beside: true},
		{name: "cancels of nothing, and no reading", say: floods(same(cancel(array(num(4_000_000)))))},
		{name: "calls and their cancels", say: floods(func(i int) []byte {
			return slices.Concat(calls(request(uint32(i), "Service.Block", none)), cancel(array(num(uint64(i)))))
		}), beside: true},
		{name: "no credit at all", miser: true, then: sendsBig, want: late},
	}
}

// paceLies are about when, and how slowly.
func paceLies() []lie {
	return []lie{
		{name: "one byte at a time", say: func(r *raw, id uint32) { drips(r, replies(response(id, nil, null)), time.Millisecond) }, answers: true, want: harmless},
		{name: "frames in halves", say: func(r *raw, _ uint32) {
			for range 1000 {
				r.write([]byte{kindPing, 0, 0, 0})
				r.write([]byte{0, 0, 0, 0})
			}
		}, want: harmless},
		{name: "never reading, while it is called", say: deaf, answers: true, then: sendsBig, want: late},
		{name: "never reading, while it is notified", say: deaf, answers: true, then: notifies, want: late},
		{name: "never reading a stream", say: deaf, answers: true, then: opens, want: late},
		{name: "never reading, while it shuts down", say: deaf, answers: true, then: shutsDown, want: late | ended},
		{name: "never answering", say: func(*raw, uint32) {}, answers: true, want: harmless | late},
		{name: "never granting", onFrame: func(_ *raw, kind byte, _ uint32, _ []byte) bool { return kind >= kindFirst && kind < kindCredit }, then: sendsBig, want: late},
		{name: "never answering a ping", onFrame: func(_ *raw, kind byte, _ uint32, _ []byte) bool { return kind == kindPing }, want: harmless},
	}
}

// deaf reads nothing more.
func deaf(*raw, uint32) { <-time.After(time.Hour) }

func byName(a, b lie) int {
	switch {
	case a.name < b.name:
		return -1
	case a.name > b.name:
		return 1
	}
	return 0
}
