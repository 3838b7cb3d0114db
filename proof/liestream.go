package main

import (
	"fmt"
	"slices"
	"time"
)

// open is a stream begun by the liar, which the victim accepts.
func open(id, window, name uint32) []byte { return frame(kindOpen, id, numbers(window, name)) }

// streamLies break the rules of streams.
func streamLies() (list []lie) {
	const by = 1 // frames of a stream that the victim has opened
	for name, say := range map[string]func(*raw, uint32){
		"an id twice":                    says(open(1, 100, 0), open(1, 100, 0)),
		"an id that goes back":           says(open(5, 100, 0), open(4, 100, 0)),
		"an id 2^31 ahead":               says(open(5, 100, 0), open(5+1<<31, 100, 0)),
		"a window above 2^30":            says(open(1, 1<<30+1, 0)),
		"an open of 7 bytes":             says(frame(kindOpen, 1, make([]byte, 7))),
		"an open of no bytes":            says(frame(kindOpen, 1, nil)),
		"an accept of nothing":           says(frame(kindAccept, 77, numbers(100))),
		"data of nothing":                says(frame(kindData, 77, null)),
		"data of no bytes":               says(open(1, 100, 0), frame(kindData, 1, nil)),
		"data of the victim's, made up":  says(frame(kindData+by, 77, null)),
		"data before the accept":         says(frame(kindOpen, 1, numbers(100, 0)), frame(kindData, 1, make([]byte, 100_000/4))),
		"an end of nothing":              says(frame(kindEnd, 77, nil)),
		"an end with a payload":          says(open(1, 100, 0), frame(kindEnd, 1, null)),
		"a stop of nothing":              says(frame(kindStop, 77, nil)),
		"a reset of nothing":             says(frame(kindReset, 77, numbers(0))),
		"a reset of no code":             says(open(1, 100, 0), frame(kindReset, 1, nil)),
		"a credit of nothing":            says(frame(kindMore, 77, numbers(1))),
		"10,000 opens without an answer": saysTimes(10_000, func(i int) []byte { return open(uint32(i), 100, 0) }),
	} {
		list = append(list, lie{name: name, say: say, want: ended})
	}
	for name, l := range map[string]lie{
		"an offer that there is not":  {say: says(open(1, 100, 12345)), want: harmless},
		"an open and a reset at once": {say: says(open(1, 100, 0), frame(kindReset, 1, numbers(0))), want: harmless},
		"a reset of an unknown code":  {say: says(open(1, 100, 0), frame(kindReset, 1, numbers(4_000_000))), want: harmless},
		"opens and resets, and reading": {say: floods(func(i int) []byte {
			return slices.Concat(open(uint32(i), 100, 0), frame(kindReset, uint32(i), numbers(0)))
		}), beside: true, want: harmless},
		"opens and resets, and no reading": {say: floods(func(i int) []byte {
			return slices.Concat(open(uint32(i), 100, 0), frame(kindReset, uint32(i), numbers(0)))
		}), want: harmless},
		"200 streams that say nothing":      {say: saysTimes(200, func(i int) []byte { return open(uint32(i), 100, 0) }), beside: true, want: harmless | ended},
		"a stream of bytes, one in a frame": {onFrame: onAccept(func(r *raw, id uint32) { times(r, 60_000, func(int) []byte { return frame(kindData, id, null) }) }), say: says(open(1, 100, 0)), want: harmless},
		"data beyond the credit": {onFrame: onAccept(func(r *raw, id uint32) {
			times(r, 100, func(int) []byte { return frame(kindData, id, make([]byte, 30_000)) })
		}), say: says(open(1, 100, 0)), want: ended},
		"data behind an end":              {onFrame: onAccept(sends(frame(kindEnd, 1, nil), frame(kindData, 1, null))), say: says(open(1, 100, 0)), want: ended},
		"an end twice":                    {onFrame: onAccept(sends(frame(kindEnd, 1, nil), frame(kindEnd, 1, nil))), say: says(open(1, 100, 0)), want: ended},
		"a credit of a stream of 0":       {onFrame: onAccept(sends(frame(kindMore, 1, numbers(0)))), say: says(open(1, 100, 0)), want: ended},
		"a credit of a stream above 2^30": {onFrame: onAccept(sends(frame(kindMore, 1, numbers(1<<30)))), say: says(open(1, 100, 0)), want: ended},
		"frames behind a reset":           {onFrame: onAccept(sends(frame(kindReset, 1, numbers(0)), frame(kindData, 1, null), frame(kindEnd, 1, nil), frame(kindMore, 1, numbers(1)))), say: says(open(1, 100, 0)), want: harmless},
		"a second accept": {onFrame: onOpen(func(id uint32) []byte {
			return slices.Concat(frame(kindAccept, id, numbers(100)), frame(kindAccept, id, numbers(100)))
		}), then: opens, want: ended},
		"an accept with a window above 2^30": {onFrame: onOpen(func(id uint32) []byte { return frame(kindAccept, id, numbers(1<<32-1)) }), then: opens, want: ended},
		"data before its accept":             {onFrame: onOpen(func(id uint32) []byte { return frame(kindData+by, id, null) }), then: opens, want: ended},
		"a stream of no window":              {onFrame: onOpen(func(id uint32) []byte { return frame(kindAccept, id, numbers(0)) }), then: opens, want: late},
		"a stream refused by code 99":        {onFrame: onOpen(func(id uint32) []byte { return frame(kindReset+by, id, numbers(99)) }), then: opens, want: failed},
		"a stream that is never accepted":    {onFrame: onOpen(func(uint32) []byte { return nil }), then: opens, want: late},
		"a stream that is reset at once": {onFrame: onOpen(func(id uint32) []byte {
			return slices.Concat(frame(kindAccept, id, numbers(100)), frame(kindReset+by, id, numbers(0)))
		}), then: opens, want: failed},
		"a stream that ends in its middle": {onFrame: onOpen(func(id uint32) []byte {
			return slices.Concat(frame(kindAccept, id, numbers(100)), frame(kindData+by, id, str("half")), frame(kindReset+by, id, numbers(5)))
		}), then: opens, want: failed},
		"an offer that nobody opens": {then: offers, want: late},
	} {
		l.name = name
		list = append(list, l)
	}
	slices.SortFunc(list, byName)
	return list
}

// onAccept says something when the victim has accepted a stream.
func onAccept(say func(r *raw, id uint32)) func(*raw, byte, uint32, []byte) bool {
	return func(r *raw, kind byte, id uint32, _ []byte) bool {
		if kind == kindAccept {
			say(r, id)
		}
		return kind == kindAccept
	}
}

// onOpen answers the opening of a stream by the victim.
func onOpen(answer func(id uint32) []byte) func(*raw, byte, uint32, []byte) bool {
	return func(r *raw, kind byte, id uint32, _ []byte) bool {
		if kind == kindOpen {
			r.write(answer(id))
		}
		return kind >= kindOpen && kind < 0x4c // and nothing is said to what follows
	}
}

func sends(parts ...[]byte) func(*raw, uint32) { return says(parts...) }

// endLies are about how a link ends.
func endLies() (list []lie) {
	for name, answer := range map[string]func(r *raw){
		"no answer":                      func(*raw) {},
		"an idle of another number":      func(r *raw) { r.write(frame(kindIdle, 4_000_000, nil)) },
		"idles without end":              func(r *raw) { go floods(func(i int) []byte { return frame(kindIdle, uint32(i), nil) })(r, 0) },
		"a bye, and no idle":             func(r *raw) { r.write(frame(kindBye, 0, nil)) },
		"the end":                        func(r *raw) { r.link.Close() },
		"a shutdown of its own, no idle": func(r *raw) { r.write(frame(kindShutdown, 0, nil)) },
		"calls": func(r *raw) {
			go floods(func(i int) []byte { return calls(request(uint32(i), "Service.Echo", none)) })(r, 0)
		},
		"notifications":                    func(r *raw) { go floods(same(notes(note("Service.Note", none))))(r, 0) },
		"opens":                            func(r *raw) { go times(r, 200, func(i int) []byte { return open(uint32(i), 100, 0) }) },
		"a call that does not return":      func(r *raw) { r.write(calls(request(1, "Service.Block", none))) },
		"a long message that does not end": func(r *raw) { r.write(first(call, 1, 1<<20, nil)) },
		"a byte each 10 ms":                func(r *raw) { go drips(r, make([]byte, 16), 10*time.Millisecond) },
		"bytes that mean nothing":          func(r *raw) { r.write([]byte{0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f}) },
	} {
		list = append(list, lie{name: fmt.Sprintf("to a shutdown: %s", name), then: shutsDown, onFrame: func(r *raw, kind byte, _ uint32, _ []byte) bool {
			if kind == kindShutdown {
				answer(r)
			}
			return kind == kindShutdown
		}, want: ended | late})
	}
	list = append(list,
		lie{name: "an idle without a shutdown", say: says(frame(kindIdle, 1, nil)), want: harmless},
		lie{name: "a thousand idles", say: saysTimes(1000, same(frame(kindIdle, 1, nil))), want: harmless},
		lie{name: "a shutdown, and calls as before", say: says(frame(kindShutdown, 0, nil), calls(request(1, "Service.Echo", none))), answers: false, want: failed | ended},
		lie{name: "a shutdown twice", say: says(frame(kindShutdown, 0, nil), frame(kindShutdown, 0, nil)), want: failed | ended},
		lie{name: "a shutdown, an idle and nothing", say: says(frame(kindShutdown, 0, nil), frame(kindIdle, 0, nil)), answers: true, want: failed | late | ended},
	)
	slices.SortFunc(list, byName)
	return list
}
