package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

const helloMagic = "\xf1VIADUCT"

// helloHead returns the head of a hello.
func helloHead(lowest, highest uint16, size uint32) []byte {
	b := []byte(helloMagic)
	b = binary.LittleEndian.AppendUint16(b, lowest)
	b = binary.LittleEndian.AppendUint16(b, highest)
	return binary.LittleEndian.AppendUint32(b, size)
}

// helloOf returns a hello with a map of its own making.
func helloOf(m []byte) []byte { return append(helloHead(1, 1, uint32(len(m))), m...) }

// helloMap returns the map of an ordinary hello, in which some keys, each before its value, have other
// values. A value of nil leaves its key out.
func helloMap(other ...[]byte) []byte {
	features := []string{"streams", "shutdown", "eager", "calls", "zones", "log", "sync", "settle", "methods"}
	fields := [][]byte{
		str("max_message"), num(1 << 20),
		str("bodies"), array(str("msgpack"), str("gob")),
		str("features"), append(mpack.AppendArray(nil, len(features)), mpack.AppendStrings(nil, features...)...),
		str("nonce"), bin([]byte("a raw child's, 16")[:16]),
	}
	for pair := range slices.Chunk(other, 2) {
		i := 0
		for i < len(fields) && !bytes.Equal(fields[i], pair[0]) {
			i += 2
		}
		switch {
		case pair[1] == nil:
			fields = slices.Delete(fields, i, i+2)
		case i == len(fields):
			fields = append(fields, pair...)
		default:
			fields[i+1] = pair[1]
		}
	}
	return pairs(fields...)
}

func helloWith(other ...[]byte) []byte { return helloOf(helloMap(other...)) }

// hellos returns a lie that says these bytes instead of a hello.
func hellos(parts ...[]byte) func(*raw) {
	return func(r *raw) { r.write(slices.Concat(parts...)) }
}

func helloLies() []lie {
	list := []lie{
		{name: "bytes that mean nothing", hello: hellos(bytes.Repeat([]byte{0x7f, 0x11, 0xc1}, 4000))},
		{name: "64 KiB before the magic", hello: hellos(make([]byte, 64<<10), helloWith())},
		{name: "the end at once", hello: func(r *raw) { r.link.Close() }},
		{name: "half a magic", hello: hellos([]byte(helloMagic[:4]))},
		{name: "half a magic and the end", hello: func(r *raw) { r.write([]byte(helloMagic[:4])); r.link.Close() }},
		{name: "a wrong last byte of the magic", hello: hellos([]byte("\xf1VIADUCX"), helloWith()[8:])},
		{name: "a head and nothing more", hello: hellos(helloHead(1, 1, 100))},
		{name: "nothing", hello: func(*raw) {}},
		{name: "versions the other way round", hello: hellos(helloHead(2, 1, 1), pairs())},
		{name: "version 9000", hello: hellos(helloHead(9000, 9000, 1), pairs())},
		{name: "version 0", hello: hellos(helloHead(0, 0, 1), pairs())},
		{name: "a map of 4 GiB", hello: hellos(helloHead(1, 1, 1<<32-1), pairs())},
		{name: "a map of 4 GiB in version 9000", hello: hellos(helloHead(9000, 9000, 1<<32-1), pairs())},
		{name: "a map of one byte too much", hello: hellos(helloHead(1, 1, 16<<10+1), make([]byte, 16<<10+1))},
		{name: "a map of no bytes", hello: hellos(helloHead(1, 1, 0))},
		{name: "bytes behind the map", hello: hellos(helloOf(append(helloMap(), 0)))},
		{name: "an array for a map", hello: hellos(helloOf(array(str("nonce"))))},
		{name: "a map that says 4 G of pairs", hello: hellos(helloOf([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}))},
		{name: "a text that says 4 GiB", hello: hellos(helloWith(str("name"), []byte{0xdb, 0xff, 0xff, 0xff, 0xff}))},
		{name: "a key that is a number", hello: hellos(helloOf(pairs(num(1), num(2))))},
		{name: "a key twice", hello: hellos(helloOf(pairs(str("pid"), num(1), str("pid"), num(1))))},
		{name: "no nonce", hello: hellos(helloWith(str("nonce"), nil))},
		{name: "a nonce of 15 bytes", hello: hellos(helloWith(str("nonce"), bin(make([]byte, 15))))},
		{name: "the parent's own hello", hello: func(r *raw) {
			if r.readHello() == nil {
				r.write(r.hello)
			}
		}},
		{name: "a largest message of 0", hello: hellos(helloWith(str("max_message"), num(0)))},
		{name: "no largest message", hello: hellos(helloWith(str("max_message"), nil))},
		{name: "a largest message below 0", hello: hellos(helloWith(str("max_message"), []byte{0xff}))},
		{name: "features that are no list", hello: hellos(helloWith(str("features"), num(1)))},
		{name: "a pid below 0", hello: hellos(helloWith(str("pid"), []byte{0xff}))},
		{name: "an unknown key, 9 deep", hello: hellos(helloWith(str("x"), nested(0x91, 9)))},
		{name: "an unknown key, 15,000 deep", hello: hellos(helloWith(str("x"), nested(0x91, 15_000)))},
		{name: "another encoding", hello: hellos(helloWith(str("encoding"), str("gob")))},
		{name: "an encoding of no name", hello: hellos(helloWith(str("encoding"), str("")))},
		{name: "needs that nobody has", hello: hellos(helloWith(str("needs"), array(str("nobody"), str("1"), str("2"))))},
		{name: "needs of one text", hello: hellos(helloWith(str("needs"), array(str("nobody"))))},
		{name: "a byte order that there is not", hello: hellos(helloWith(str("order"), str("middle")))},
		{name: "a byte each 100 ms", hello: func(r *raw) { drips(r, helloWith(), 100*time.Millisecond) }},
	}
	for i := range list {
		list[i].want = refused
	}
	return append(list,
		lie{name: "16 KiB that fit", hello: hellos(helloWith(str("x"), bin(make([]byte, 16_000)))), want: late},
		lie{name: "a largest message of 2^64-1", hello: hellos(helloWith(str("max_message"), num(1<<64-1))), want: late},
		lie{name: "a byte at a time", hello: func(r *raw) { drips(r, helloWith(), 0) }, want: late},
		lie{name: "hello and the end", hello: func(r *raw) { r.write(helloWith()); r.link.Close() }, want: refused | ended},
		lie{name: "hello twice", hello: hellos(helloWith(), helloWith()), want: ended | late},
		lie{name: "hello and the parent's frames", hello: func(r *raw) {
			r.write(helloWith())
			if r.readHello() == nil {
				io.Copy(r.link, r.in)
			}
		}},
	)
}
