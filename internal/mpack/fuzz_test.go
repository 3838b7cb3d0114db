package mpack

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func addSeeds(f *testing.F) {
	for _, s := range valueTests {
		b := unhex(f, s)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	for _, tt := range headTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Add(bytes.Repeat([]byte{0xdf, 0, 0, 3, 0xe8}, 6553))
	f.Add(nested(1_200_000))
	f.Add(nested(1000))
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x92, 0xc6, 0xff, 0xff, 0xff, 0xff, 0})
}

// FuzzSkip: what Check accepts, every reader takes, within bounds.
func FuzzSkip(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		const depth = 50
		n, err := Skip(b, depth)
		if n < 0 || n > len(b) || err == nil && n == 0 || err != nil && n != 0 {
			t.Fatalf("Skip = %d, %v for %d bytes", n, err, len(b))
		}
		if (Check(b, depth) == nil) != (err == nil && n == len(b)) {
			t.Fatalf("Check and Skip differ")
		}
		if err != nil {
			return
		}
		if walked := walk(t, b, depth); walked != n {
			t.Fatalf("Skip = %d, a walk ends at %d", n, walked)
		}
		if _, err := Skip(b[:n-1], depth); err != io.ErrUnexpectedEOF {
			t.Fatalf("one byte less: %v", err)
		}
		if _, err := Text(b[:n]); err != nil {
			t.Fatal(err)
		}
	})
}

// walk is Skip by recursion, with the readers.
func walk(t *testing.T, b []byte, depth int) int {
	h, err := ReadHead(b)
	if err != nil {
		t.Fatal(err)
	}
	rest := b
	switch h.Kind {
	case Str:
		_, rest, err = ReadString(b)
	case Bin:
		_, rest, err = ReadBin(b)
	case Uint:
		_, rest, err = ReadUint(b)
	case Array:
		_, rest, err = ReadArray(b)
	case Map:
		_, rest, err = ReadMap(b)
	default:
		rest = b[h.Size+int(h.Bytes):]
	}
	if err != nil {
		t.Fatal(err)
	}
	n := len(b) - len(rest)
	if (h.Kind == Array || h.Kind == Map) && depth == 0 {
		t.Fatal("too deep")
	}
	for range h.Elems {
		n += walk(t, b[n:], depth-1)
	}
	return n
}

// FuzzFinder: fed in chunks, a Finder finds what Skip finds.
func FuzzFinder(f *testing.F) {
	for chunk := range 3 {
		for _, s := range valueTests {
			f.Add(unhex(f, s), uint8(chunk), uint16(20))
		}
	}
	f.Add(nested(1_200_000), uint8(200), uint16(65535))
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, uint8(1), uint16(100))
	f.Fuzz(func(t *testing.T, b []byte, chunk uint8, limit uint16) {
		if len(b) > 1<<16 {
			b = b[:1<<16]
		}
		max := int(limit)
		var fd Finder
		var n int
		var err error
		for fed := 0; n == 0 && err == nil; {
			n, err = fd.Find(b[:fed], max)
			if fed == len(b) {
				break
			}
			fed = min(fed+int(chunk)+1, len(b))
		}
		size, skipErr := Skip(b, len(b))
		var long *TooLongError
		switch {
		case n > max:
			t.Fatalf("found %d bytes, limit %d", n, max)
		case n > 0 && (skipErr != nil || n != size):
			t.Fatalf("found %d, Skip = %d, %v", n, size, skipErr)
		case n == 0 && err == nil && skipErr != io.ErrUnexpectedEOF:
			t.Fatalf("found nothing, Skip = %d, %v", size, skipErr)
		case errors.As(err, &long) && skipErr == nil && size <= max:
			t.Fatalf("%v, but Skip = %d", err, size)
		case errors.Is(err, ErrReserved) && skipErr == nil:
			t.Fatalf("%v, but Skip = %d", err, size)
		}
	})
}
