// Command bcryptprimitives writes a bcryptprimitives.dll for Wine 8, which has
// none, and without which no Go program starts. The file has no code: its one
// export, ProcessPrng, is forwarded to ADVAPI32.SystemFunction036, which does the same.
package main

import (
	"bytes"
	"encoding/binary"
	"log"
	"os"
)

const (
	headers = 0x200  // of the file, up to the section
	section = 0x1000 // where the section lies in memory
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: bcryptprimitives FILE")
	}
	file := image(exports("bcryptprimitives.dll", "ProcessPrng", "ADVAPI32.SystemFunction036"))
	if err := os.WriteFile(os.Args[1], file, 0o644); err != nil {
		log.Fatal(err)
	}
}

// exports is a section with an export directory of one name.
func exports(dll, name, target string) []byte {
	const directory = 40 // bytes; the tables of addresses, names and ordinals follow
	functions := uint32(section + directory)
	names, ordinals, text := functions+4, functions+8, functions+10
	at := func(s ...string) uint32 { // where the string behind these lies
		where := text
		for _, s := range s {
			where += uint32(len(s)) + 1
		}
		return where
	}
	var b bytes.Buffer
	put(&b, uint32(0), uint32(0), uint32(0), at(), uint32(1), // flags, time, version, name, first ordinal
		uint32(1), uint32(1), functions, names, ordinals,
		at(dll, name), // an address within the directory is a forwarder
		at(dll), uint16(0))
	b.WriteString(dll + "\x00" + name + "\x00" + target + "\x00")
	return b.Bytes()
}

// image is a DLL for amd64 with one section.
func image(body []byte) []byte {
	size := uint32(len(body))
	var b bytes.Buffer
	dos := make([]byte, 64)
	copy(dos, "MZ")
	dos[60] = 64 // where the rest begins
	b.Write(dos)
	b.WriteString("PE\x00\x00")
	put(&b, uint16(0x8664), uint16(1), uint32(0), uint32(0), uint32(0), uint16(240), uint16(0x2022)) // amd64, one section; a DLL
	put(&b, uint16(0x20b), uint16(0), uint32(0), uint32(0x200), uint32(0), uint32(0), uint32(0),     // PE32+, no entry point
		uint64(0x180000000), uint32(section), uint32(0x200), // base, alignments
		uint32(0x40000), uint32(0), uint32(6), uint32(0), // versions: Windows 4, subsystem 6
		uint32(2*section), uint32(headers), uint32(0), uint16(2), uint16(0x140),
		uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), uint32(16))
	put(&b, uint32(section), size)  // the directory of exports
	b.Write(make([]byte, 15*8))     // no other
	b.WriteString(".edata\x00\x00") // the section
	put(&b, size, uint32(section), uint32(0x200), uint32(headers), uint32(0), uint32(0), uint32(0), uint32(0x40000040))
	b.Write(make([]byte, headers-b.Len()))
	b.Write(body)
	b.Write(make([]byte, headers+0x200-b.Len()))
	return b.Bytes()
}

func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			log.Fatal(err)
		}
	}
}
