package main

import (
	"bytes"
	"slices"
	"strings"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// extra is a request with a fifth element.
func extra(info []byte) []byte {
	return calls(array(num(0), num(500), str("Service.Echo"), none, info))
}

// messageLies are requests and notifications that are none.
func messageLies() (list []lie) {
	array32, map32, bin32, str32 := []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, []byte{0xdf, 0xff, 0xff, 0xff, 0xff}, []byte{0xc6, 0xff, 0xff, 0xff, 0xff}, []byte{0xdb, 0xff, 0xff, 0xff, 0xff}
	echo := str("Service.Echo")
	for name, msg := range map[string][]byte{
		"a message that is nil":              null,
		"a message that begins no value":     never,
		"a message that is a map":            pairs(num(0), num(1)),
		"an empty array":                     array(),
		"an array of two":                    array(num(0), num(1)),
		"an array of 4 G":                    array32,
		"a request of three elements":        array(num(0), num(1), echo),
		"type 3":                             array(num(3), num(1), echo, none),
		"type -1":                            array([]byte{0xff}, num(1), echo, none),
		"a type that is a text":              array(str("0"), num(1), echo, none),
		"msgid 2^32":                         array(num(0), num(1<<32), echo, none),
		"msgid -1":                           array(num(0), []byte{0xff}, echo, none),
		"a msgid that is a text":             array(num(0), str("1"), echo, none),
		"a msgid that is 1.0":                array(num(0), []byte{0xca, 0x3f, 0x80, 0, 0}, echo, none),
		"a method that is a bin":             array(num(0), num(1), bin([]byte("Service.Echo")), none),
		"a method that is nil":               array(num(0), num(1), null, none),
		"a method that is a number":          array(num(0), num(1), num(1), none),
		"a method of 4 GiB":                  append([]byte{0x94, 0, 1}, str32...),
		"a request cut off behind its msgid": {0x94, 0, 1},
	} {
		list = append(list, lie{name: name, say: says(calls(msg)), want: ended})
	}
	for name, params := range map[string][]byte{
		"nothing for a cancel":    none,
		"a text for a cancel":     array(str("1")),
		"a map for a cancel":      pairs(num(1), num(1)),
		"2^32 for a cancel":       array(num(1 << 32)),
		"never for a cancel":      array(never),
		"a long array for cancel": array32,
	} {
		list = append(list, lie{name: name, say: says(cancel(params)), want: ended})
	}
	for name, params := range map[string][]byte{
		"params that are nil":             null,
		"params that are a map":           pairs(),
		"params that begin no value":      never,
		"params of two":                   array(null, null),
		"params of 4 G":                   array32,
		"params cut off":                  {0x91},
		"bytes behind the params":         append(array(null), 0, 0, 0),
		"an argument of another type":     array(num(5)),
		"an argument of unknown fields":   array(pairs(str("x"), str("y"))),
		"an argument of a field twice":    array(pairs(str("N"), num(1), str("N"), num(2))),
		"a field of another type":         array(pairs(str("N"), str("1"))),
		"a number out of range":           array(pairs(str("N"), num(1<<64-1))),
		"an argument that is a map of 4G": array(map32),
		"bytes of 4 GiB":                  array(pairs(str("Bytes"), bin32)),
		"a text of 4 GiB for a key":       array(append([]byte{0x81}, str32...)),
		"an argument 30,000 deep":         nested(0x91, 30_000),
		"maps 15,000 deep":                append([]byte{0x91}, bytes.Repeat([]byte{0x81, 0xa1, 'x'}, 10_000)...),
		"map32 in map32, 32 KiB":          append([]byte{0x91}, bytes.Repeat([]byte{0xdf, 0, 0, 0x40, 0}, 6000)...),
		"array32 in array32, 32 KiB":      append([]byte{0x91}, bytes.Repeat([]byte{0xdd, 0, 0, 0x40, 0}, 6000)...),
		"an ext of a gob type":            array(mpack.AppendExt(nil, 103, bytes.Repeat([]byte{7}, 1000))),
		"a label of no gob":               array(append([]byte{0x81}, append(mpack.AppendExt(nil, 71, bytes.Repeat([]byte{0xff}, 1000)), 0)...)),
	} {
		list = append(list, lie{name: name, say: says(calls(request(600, "Service.Echo", params))), want: harmless})
	}
	for name, info := range map[string][]byte{
		"what goes with a call: nil":             null,
		"what goes with a call: a number":        num(5),
		"what goes with a call: 20,000 bytes":    pairs(str("x"), bin(make([]byte, 20_000))),
		"what goes with a call: 4 G of pairs":    map32,
		"what goes with a call: 20 deep":         pairs(str("x"), nested(0x91, 20)),
		"a timeout of 0":                         pairs(str("timeout"), num(0)),
		"a timeout of -1":                        pairs(str("timeout"), []byte{0xff}),
		"a timeout of 2^64-1":                    pairs(str("timeout"), num(1<<64-1)),
		"a timeout of 2^63":                      pairs(str("timeout"), num(1<<63)),
		"a timeout of one nanosecond":            pairs(str("timeout"), num(1)),
		"a timeout that is a text":               pairs(str("timeout"), str("1s")),
		"within a call that there is not":        pairs(str("within"), num(4_000_000_000)),
		"within -1":                              pairs(str("within"), []byte{0xff}),
		"metadata that is an array":              pairs(str("meta"), none),
		"metadata of numbers":                    pairs(str("meta"), pairs(num(1), num(2))),
		"metadata of 300 pairs":                  pairs(str("meta"), manyPairs(300)),
		"metadata of 9,000 bytes":                pairs(str("meta"), pairs(str("k"), str(strings.Repeat("v", 9000)))),
		"a size that is wrong":                   pairs(str("size"), []byte{0xce, 0xff, 0xff, 0xff, 0xff}),
		"what goes with a call: a key twice":     pairs(str("timeout"), num(1e9), str("timeout"), num(2e9)),
		"what goes with a call: begins no value": never,
	} {
		list = append(list, lie{name: name, say: says(extra(info)), want: harmless})
	}
	for name, l := range map[string]lie{
		"a method of no name":                   {say: says(calls(request(1, "", none))), want: harmless},
		"a method without a dot":                {say: says(calls(request(1, "Echo", none))), want: harmless},
		"a method of 30,000 bytes":              {say: says(calls(request(1, strings.Repeat("M.", 15_000), none))), want: harmless},
		"an own method that there is not":       {say: says(calls(request(1, "$/nothing", none))), want: harmless},
		"an own notification that there is not": {say: says(notes(note("$/nothing", none))), want: harmless},
		"two messages in a frame":               {say: says(calls(append(request(1, "Service.Echo", none), request(2, "Service.Echo", none)...))), want: harmless},
		"a cancel of a call that there is not":  {say: says(cancel(array(num(4_000_000)))), want: harmless},
		"a cancel twice":                        {say: says(calls(request(1, "Service.Block", none)), cancel(array(num(1))), cancel(array(num(1)))), want: harmless},
		"a call of a msgid that is in use":      {say: says(calls(request(1, "Service.Block", none)), calls(request(1, "Service.Block", none)), cancel(array(num(1)))), want: harmless | ended},
		"a call within itself":                  {say: says(calls(array(num(0), num(5), str("Service.Block"), none, pairs(str("within"), num(5))))), want: harmless},
		"a thousand calls within the same":      {say: allWithin, beside: true, want: harmless | ended},
		"a thousand $/sync behind a notification": {say: saysTimes(3000, func(i int) []byte {
			return slices.Concat(notes(note("Service.Block", none)), calls(request(uint32(i), "$/sync", none)))
		}), beside: true},
		"$/settle behind a method that goes on":  {say: settles, beside: true, want: harmless},
		"$/methods, again and again":             {say: floods(func(i int) []byte { return calls(request(uint32(i), "$/methods", none)) }), beside: true},
		"a number of 500,000 digits":             {say: says(whole(call, request(1, "Service.Number", array(str(strings.Repeat("9", 500_000)))))), want: harmless | ended},
		"128 KiB of empty arrays":                {say: says(whole(call, request(1, "Service.Any", array(slices.Concat([]byte{0xdd, 0, 1, 0xf0, 0}, bytes.Repeat(none, 0x1f000)))))), want: harmless},
		"100 KiB of empty maps, again and again": {say: bombs, beside: true},
		"a map of 10,000 keys, twice the same":   {say: says(whole(call, request(1, "Service.Any", array(slices.Concat([]byte{0xde, 0x4e, 0x20}, bytes.Repeat([]byte{0xa1, 'k', 0}, 20_000)))))), want: harmless},
	} {
		l.name = name
		list = append(list, l)
	}
	slices.SortFunc(list, byName)
	return list
}

func manyPairs(n int) []byte {
	b := mpack.AppendMap(nil, n)
	for i := range n {
		b = append(append(b, str(string(rune('a'+i%26))+strings.Repeat("x", i/26))...), str("v")...)
	}
	return b
}

// allWithin makes calls that all say that they serve the same one of the victim.
func allWithin(r *raw, id uint32) {
	times(r, 1000, func(i int) []byte {
		return calls(array(num(0), num(uint64(i)), str("Service.Block"), none, pairs(str("within"), num(uint64(id)))))
	})
}

// settles gives up a call of a method that goes on, and waits for its end, many times.
func settles(r *raw, _ uint32) {
	r.write(slices.Concat(calls(request(1, "Service.Stubborn", none)), cancel(array(num(1)))))
	times(r, 100, func(i int) []byte { return calls(request(uint32(10+i), "$/settle", none)) })
}

// bombs sends what is much larger when it is decoded.
func bombs(r *raw, _ uint32) {
	arg := slices.Concat([]byte{0xdc, 0xff, 0xff}, bytes.Repeat([]byte{0x80}, 0xffff))
	floods(func(i int) []byte { return whole(call, request(uint32(i), "Service.Any", array(arg))) })(r, 0)
}
