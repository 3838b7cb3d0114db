package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// replyLies are replies that are none, and what a listing and log records can be.
func replyLies() (list []lie) {
	many := []byte{0xff, 0xff, 0xff, 0xff}
	huge := func(head byte) []byte { return append([]byte{head}, many...) }
	for name, l := range map[string]lie{
		"a result that begins no value":     {say: results(never), want: failed},
		"a result of another type":          {say: results(str("x")), want: failed},
		"a result of unknown fields":        {say: results(pairs(str("x"), num(1))), want: failed},
		"a result of a field twice":         {say: results(pairs(str("N"), num(1), str("N"), num(1))), want: failed | harmless},
		"a result out of range":             {say: results(pairs(str("N"), num(1<<64-1))), want: failed},
		"a result of 4 G elements":          {say: results(huge(0xdd)), then: asksList, want: failed},
		"a result of 4 G pairs":             {say: results(huge(0xdf)), then: asksPairs, want: failed},
		"a result of 4 GiB":                 {say: results(huge(0xc6)), then: asksAny, want: failed},
		"a text of 4 GiB":                   {say: results(huge(0xdb)), then: asksAny, want: failed},
		"an ext of 4 GiB":                   {say: results(huge(0xc9)), then: asksAny, want: failed},
		"a result 30,000 deep":              {say: results(nested(0x91, 30_000)), then: asksAny, want: failed},
		"a result 1,000,000 deep":           {say: results(nested(0x91, 1_000_000)), then: asksAny, want: failed | ended | late},
		"pairs 10,000 deep":                 {say: results(bytes.Repeat([]byte{0x81, 0xa1, 'x'}, 10_000)), then: asksAny, want: failed},
		"map32 in map32":                    {say: results(bytes.Repeat([]byte{0xdf, 0, 0, 0x40, 0}, 6000)), then: asksAny, want: failed},
		"128 KiB of empty arrays":           {say: results(slices.Concat([]byte{0xdd, 0, 1, 0xf0, 0}, bytes.Repeat(none, 0x1f000))), then: asksAny, want: harmless | failed},
		"128 KiB of empty maps":             {say: results(slices.Concat([]byte{0xdd, 0, 1, 0xf0, 0}, bytes.Repeat([]byte{0x80}, 0x1f000))), then: asksList, want: harmless | failed},
		"a list of ints that says more":     {say: results([]byte{0xdc, 0xff, 0xff, 1, 2, 3}), then: asksInts, want: failed},
		"a list of ints that is a map":      {say: results(pairs(num(1), num(2))), then: asksInts, want: failed},
		"keys that cannot be compared":      {say: results(pairs(none, num(1))), then: asksAny, want: failed},
		"equal keys":                        {say: results(pairs(str("k"), num(1), str("k"), num(2))), then: asksPairs, want: failed},
		"a number of 60,000 digits":         {say: results(str(strings.Repeat("9", 60_000))), then: asksNum, want: harmless},
		"a number of 100,000 digits":        {say: results(str(strings.Repeat("9", 100_000))), then: asksNum, want: failed},
		"a number that is none":             {say: results(str("12x")), then: asksNum, want: failed},
		"a big.Int in gob that is none":     {say: results(mpack.AppendExt(nil, 103, bytes.Repeat([]byte{0xff}, 1000))), then: asksNum, want: failed},
		"a label of no gob":                 {say: results(append([]byte{0x81}, append(mpack.AppendExt(nil, 71, bytes.Repeat([]byte{0xff}, 1000)), 0)...)), then: asksAny, want: failed},
		"a label of a type that nobody has": {say: results(append([]byte{0x81}, append(mpack.AppendExt(nil, 71, labelOf("nobody.Has")), 0)...)), then: asksAny, want: failed},
		"a time of 10^9 nanoseconds":        {say: results(mpack.AppendExt(nil, -1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})), then: asksAny, want: failed},
		"a result cut off":                  {say: tells(func(id uint32) []byte { return replies([]byte{0x94, 1, 0xce, 0, 0, 0, byte(id), 0xc0}) }), want: failed | ended | harmless},
		"bytes behind the result":           {say: tells(func(id uint32) []byte { return replies(append(response(id, nil, null), 1, 2, 3)) }), want: failed | harmless},
		"two replies": {say: tells(func(id uint32) []byte {
			return slices.Concat(replies(response(id, nil, null)), replies(response(id, nil, null)))
		}), want: harmless},
		"a reply to a call that nobody made": {say: tells(func(id uint32) []byte {
			return slices.Concat(replies(response(4_000_000, nil, never)), replies(response(id, nil, null)))
		}), want: harmless},
		"an error and a result":           {say: tells(func(id uint32) []byte { return replies(response(id, str("bad"), num(1))) }), want: failed},
		"an error of 1 MiB":               {say: failures(str(strings.Repeat("e", 1<<20-100))), want: failed | ended | late},
		"an empty error":                  {say: failures(str("")), want: failed},
		"an error of other things":        {say: failures(array(num(1), none, pairs())), want: failed},
		"an error that begins no value":   {say: failures(never), want: ended},
		"an error 1,001 deep":             {say: failures(nested(0x91, 1001)), want: failed},
		"an error of 4 GiB":               {say: failures(huge(0xdb)), want: ended},
		"an error of 4 G pairs":           {say: failures(huge(0xdf)), want: ended},
		"an error whose text is a number": {say: failures(pairs(str("text"), num(1))), want: failed},
		"an error without a text":         {say: failures(pairs(str("is"), array(str("io.EOF")))), want: failed},
		"an error of unknown names":       {say: failures(pairs(str("text"), str("x"), str("is"), array(str("a.B"), num(1), none))), want: failed},
		"an error of 1,000 names":         {say: failures(pairs(str("text"), str("x"), str("is"), append([]byte{0xdc, 3, 0xe8}, bytes.Repeat(str("io.EOF"), 1000)...))), want: failed},
		"a panic that was none":           {say: failures(pairs(str("text"), str("x"), str("panic"), array(str("v"), str("stack")))), want: failed},
		"a panic of numbers":              {say: failures(pairs(str("text"), str("x"), str("panic"), array(num(1), num(2), num(3)))), want: failed},
		"a size error of nonsense":        {say: failures(pairs(str("text"), str("x"), str("size"), array(str("a"), []byte{0xff}))), want: failed},
		"a body error of nonsense":        {say: failures(pairs(str("text"), str("x"), str("body"), array(num(1)))), want: failed},
		"an error code of 2^64-1":         {say: failures(pairs(str("text"), str("x"), str("error"), array(num(1<<64-1), str("m"), null))), want: failed},
		"an error with data 900 deep":     {say: failures(pairs(str("text"), str("x"), str("error"), array(num(1), str("m"), nested(0x91, 900)))), want: failed},
		"a reply of three elements":       {say: tells(func(id uint32) []byte { return replies(array(num(1), num(uint64(id)), null)) }), want: ended},
		"a reply of five elements":        {say: tells(func(id uint32) []byte { return replies(array(num(1), num(uint64(id)), null, null, null)) }), want: ended},
		"a reply with msgid 2^32":         {say: says(replies(array(num(1), num(1<<32), null, null))), want: ended},
	} {
		l.name, l.answers = name, true
		list = append(list, l)
	}
	for name, params := range map[string][]byte{
		"log: nothing":               none,
		"log: nil":                   null,
		"log: a text":                array(str("x")),
		"log: -1 dropped":            array([]byte{0xff}),
		"log: 2^64-1 dropped":        array(num(1<<64 - 1)),
		"log: a number":              array(num(0), num(5)),
		"log: an empty record":       array(num(0), none),
		"log: no time":               array(num(0), array(null, num(0), str("m"), pairs())),
		"log: a level of 2^64-1":     array(num(0), array(null, num(1<<64-1), str("m"), pairs())),
		"log: a message of 4 GiB":    append([]byte{0x92, 0, 0x94, 0xc0, 0}, huge(0xdb)...),
		"log: attributes of 4 G":     append([]byte{0x92, 0, 0x94, 0xc0, 0, 0xa1, 'm'}, huge(0xdf)...),
		"log: groups 100 deep":       array(num(0), array(null, num(0), str("m"), bytes.Repeat([]byte{0x81, 0xa1, 'g'}, 100))),
		"log: groups 10,000 deep":    array(num(0), array(null, num(0), str("m"), bytes.Repeat([]byte{0x81, 0xa1, 'g'}, 10_000))),
		"log: a value of 10,000":     array(num(0), array(null, num(0), str("m"), pairs(str("k"), nested(0x91, 10_000)))),
		"log: a time of nonsense":    array(num(0), array(mpack.AppendExt(nil, -1, []byte{1, 2, 3}), num(0), str("m"), pairs())),
		"log: a source of nonsense":  array(num(0), array(null, num(0), str("m"), pairs(), array(num(1), num(2), str("line")))),
		"log: a duration of 3 bytes": array(num(0), array(null, num(0), str("m"), pairs(str("d"), mpack.AppendExt(nil, 100, []byte{1, 2, 3})))),
	} {
		list = append(list, lie{name: name, say: says(notes(note("$/log", params))), want: harmless})
	}
	record := array(null, num(0), str("m"), pairs(str("k"), str(strings.Repeat("v", 900))))
	list = append(list,
		lie{name: "log: as much as goes", say: floods(same(notes(note("$/log", array(num(0), record, record, record))))), beside: true},
		lie{name: "log: a record of 100,000 bytes", say: says(whole(notification, note("$/log", array(num(0), array(null, num(0), str(strings.Repeat("m", 100_000)), pairs()))))), want: harmless},
	)
	list = append(list, listingLies()...)
	slices.SortFunc(list, byName)
	return list
}

// labelOf is a label as gob would begin one of a type of that name.
func labelOf(name string) []byte {
	return slices.Concat([]byte{0x2e, byte(len(name)), 0x10, byte(len(name))}, []byte(name), []byte{4, 2, 0, 0})
}

// listingLies are answers to the question what there is to call.
func listingLies() (list []lie) {
	big := func(n int, each []byte) []byte {
		return slices.Concat([]byte{0xdd, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, bytes.Repeat(each, n))
	}
	for name, listing := range map[string][]byte{
		"nil":                          null,
		"a number":                     num(1),
		"begins no value":              never,
		"methods of 4 G":               pairs(str("methods"), []byte{0xdd, 0xff, 0xff, 0xff, 0xff}),
		"methods that are numbers":     pairs(str("methods"), array(num(1), num(2))),
		"a method without a name":      pairs(str("methods"), array(pairs(str("arg"), str("int")))),
		"a method of an empty name":    pairs(str("methods"), array(pairs(str("name"), str("")))),
		"70,000 methods":               pairs(str("methods"), big(70_000, pairs(str("name"), str("M.M")))),
		"one type 1,000 times":         pairs(str("types"), big(1000, pairs(str("name"), str("T")))),
		"a type of itself":             pairs(str("methods"), array(pairs(str("name"), str("M.M"), str("arg"), str("T"))), str("types"), array(pairs(str("name"), str("T"), str("is"), str("[]T")))),
		"a type that is another, back": pairs(str("types"), array(pairs(str("name"), str("A"), str("is"), str("B")), pairs(str("name"), str("B"), str("is"), str("A")))),
		"a type of 30,000 brackets":    pairs(str("methods"), array(pairs(str("name"), str("M.M"), str("arg"), str(strings.Repeat("[]", 15_000)+"int")))),
		"an unknown key 30 deep":       pairs(str("x"), nested(0x91, 30)),
		"500,000 bytes of doc":         pairs(str("methods"), array(pairs(str("name"), str("M.M"), str("doc"), str(strings.Repeat("d", 500_000))))),
		"a method 20,000 times":        pairs(str("methods"), big(20_000, pairs(str("name"), str("M.M"), str("notes"), array(str("n"))))),
	} {
		list = append(list, lie{name: fmt.Sprintf("a listing: %s", name), then: lists, onFrame: func(r *raw, kind byte, id uint32, payload []byte) bool {
			i := bytes.Index(payload, []byte("$/methods"))
			if kind != kindWhole || i < 8 {
				return false
			}
			// The msgid is five bytes in front of the name and its head.
			at := bytes.IndexByte(payload[:i], 0xce)
			msgid := uint32(payload[at+1])<<24 | uint32(payload[at+2])<<16 | uint32(payload[at+3])<<8 | uint32(payload[at+4])
			r.write(whole(reply, response(msgid, nil, listing)))
			return true
		}, want: failed | harmless | late})
	}
	return list
}
