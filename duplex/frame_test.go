package duplex

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// unhex turns hex with spaces into bytes.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

var headerTests = []struct {
	hex  string
	want header
	name string // of the kind
	err  string
}{
	{"10 00 01 00 00 00 00 00", header{0x10, 1, 0}, "whole call", ""},
	{"11 00 00 80 00 00 00 00", header{0x11, 32768, 0}, "whole reply", ""},
	{"12 00 34 12 00 00 00 00", header{0x12, 0x1234, 0}, "whole notification", ""},
	{"13 00 40 00 00 00 00 00", header{0x13, 64, 0}, "whole urgent", ""},
	{"14 00 00 80 01 00 00 00", header{0x14, 32768, 1}, "first call", ""},
	{"15 00 00 80 00 01 00 00", header{0x15, 32768, 0x100}, "first reply", ""},
	{"16 00 00 80 00 00 01 00", header{0x16, 32768, 0x10000}, "first notification", ""},
	{"18 00 01 00 78 56 34 12", header{0x18, 1, 0x12345678}, "piece call", ""},
	{"19 00 00 80 ff ff ff ff", header{0x19, 32768, 0xffffffff}, "piece reply", ""},
	{"1a 00 ff 7f 00 00 00 80", header{0x1a, 32767, 0x80000000}, "piece notification", ""},
	{"1c 00 00 00 01 00 00 00", header{0x1c, 0, 1}, "abort call", ""},
	{"1d 00 00 00 02 00 00 00", header{0x1d, 0, 2}, "abort reply", ""},
	{"1e 00 00 00 03 00 00 00", header{0x1e, 0, 3}, "abort notification", ""},
	{"20 00 00 00 00 00 04 00", header{0x20, 0, 0x40000}, "credit call", ""},
	{"21 00 00 00 40 00 00 00", header{0x21, 0, 0x40}, "credit reply", ""},
	{"22 00 00 00 01 00 00 00", header{0x22, 0, 1}, "credit notification", ""},
	{"24 00 00 00 01 00 00 00", header{0x24, 0, 1}, "grant call", ""},
	{"25 00 00 00 02 00 00 00", header{0x25, 0, 2}, "grant reply", ""},
	{"26 00 00 00 03 00 00 00", header{0x26, 0, 3}, "grant notification", ""},
	{"30 00 00 00 ef be ad de", header{0x30, 0, 0xdeadbeef}, "ping", ""},
	{"31 00 00 00 ef be ad de", header{0x31, 0, 0xdeadbeef}, "pong", ""},
	{"32 00 00 00 00 00 00 00", header{0x32, 0, 0}, "bye", ""},
	{"33 00 00 00 00 00 00 00", header{0x33, 0, 0}, "shutdown", ""},
	{"34 00 00 00 07 00 00 00", header{0x34, 0, 7}, "idle", ""},
	{"40 00 08 00 05 00 00 00", header{0x40, 8, 5}, "open", ""},
	{"41 00 04 00 05 00 00 00", header{0x41, 4, 5}, "accept", ""},
	{"42 00 01 00 05 00 00 00", header{0x42, 1, 5}, "data", ""},
	{"43 00 00 80 05 00 00 00", header{0x43, 32768, 5}, "data", ""},
	{"44 00 04 00 05 00 00 00", header{0x44, 4, 5}, "stream credit", ""},
	{"45 00 04 00 05 00 00 00", header{0x45, 4, 5}, "stream credit", ""},
	{"46 00 00 00 05 00 00 00", header{0x46, 0, 5}, "end", ""},
	{"47 00 00 00 05 00 00 00", header{0x47, 0, 5}, "end", ""},
	{"48 00 00 00 05 00 00 00", header{0x48, 0, 5}, "stop", ""},
	{"49 00 00 00 05 00 00 00", header{0x49, 0, 5}, "stop", ""},
	{"4a 00 04 00 05 00 00 00", header{0x4a, 4, 5}, "reset", ""},
	{"4b 00 04 00 05 00 00 00", header{0x4b, 4, 5}, "reset", ""},
	{"80 00 00 00 00 00 00 00", header{0x80, 0, 0}, "kind 0x80", ""},
	{"ff ff ff ff 01 00 00 00", header{0xff, 0xffff, 1}, "kind 0xff", ""},

	{"10 01 01 00 00 00 00 00", header{}, "", "whole call frame: second byte is 0x01, not zero"},
	{"30 80 00 00 00 00 00 00", header{}, "", "ping frame: second byte is 0x80, not zero"},
	{"10 00 00 00 00 00 00 00", header{}, "", "whole call frame without payload"},
	{"12 00 01 80 00 00 00 00", header{}, "", "whole notification frame: payload of 32769 bytes, limit is 32768"},
	{"14 00 ff 7f 00 00 00 00", header{}, "", "first call frame: payload of 32767 bytes, must be 32768"},
	{"15 00 00 00 00 00 00 00", header{}, "", "first reply frame: payload of 0 bytes, must be 32768"},
	{"16 00 01 80 00 00 00 00", header{}, "", "first notification frame: payload of 32769 bytes, limit is 32768"},
	{"18 00 00 00 00 00 00 00", header{}, "", "piece call frame without payload"},
	{"19 00 01 80 00 00 00 00", header{}, "", "piece reply frame: payload of 32769 bytes, limit is 32768"},
	{"1c 00 01 00 00 00 00 00", header{}, "", "abort call frame: payload of 1 bytes, must be 0"},
	{"22 00 04 00 00 00 00 00", header{}, "", "credit notification frame: payload of 4 bytes, must be 0"},
	{"25 00 00 80 00 00 00 00", header{}, "", "grant reply frame: payload of 32768 bytes, must be 0"},
	{"30 00 01 00 00 00 00 00", header{}, "", "ping frame: payload of 1 bytes, must be 0"},
	{"31 00 01 00 00 00 00 00", header{}, "", "pong frame: payload of 1 bytes, must be 0"},
	{"32 00 01 00 00 00 00 00", header{}, "", "bye frame: payload of 1 bytes, must be 0"},
	{"00 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x00"},
	{"0f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x0f"},
	{"13 00 00 00 00 00 00 00", header{}, "", "whole urgent frame without payload"},
	{"13 00 41 00 00 00 00 00", header{}, "", "whole urgent frame: payload of 65 bytes, limit is 64"},
	{"17 00 00 80 00 00 00 00", header{}, "", "unknown frame kind 0x17"},
	{"1b 00 01 00 00 00 00 00", header{}, "", "unknown frame kind 0x1b"},
	{"1f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x1f"},
	{"23 00 00 00 01 00 00 00", header{}, "", "unknown frame kind 0x23"},
	{"27 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x27"},
	{"28 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x28"},
	{"2f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x2f"},
	{"33 00 01 00 00 00 00 00", header{}, "", "shutdown frame: payload of 1 bytes, must be 0"},
	{"34 00 04 00 00 00 00 00", header{}, "", "idle frame: payload of 4 bytes, must be 0"},
	{"35 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x35"},
	{"3f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x3f"},
	{"40 00 04 00 00 00 00 00", header{}, "", "open frame: payload of 4 bytes, must be 8"},
	{"41 00 08 00 00 00 00 00", header{}, "", "accept frame: payload of 8 bytes, must be 4"},
	{"42 00 00 00 00 00 00 00", header{}, "", "data frame without payload"},
	{"43 00 01 80 00 00 00 00", header{}, "", "data frame: payload of 32769 bytes, limit is 32768"},
	{"44 00 00 00 00 00 00 00", header{}, "", "stream credit frame: payload of 0 bytes, must be 4"},
	{"47 00 01 00 00 00 00 00", header{}, "", "end frame: payload of 1 bytes, must be 0"},
	{"48 00 04 00 00 00 00 00", header{}, "", "stop frame: payload of 4 bytes, must be 0"},
	{"4b 00 00 00 00 00 00 00", header{}, "", "reset frame: payload of 0 bytes, must be 4"},
	{"4c 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x4c"},
	{"4f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x4f"},
	{"7f 00 00 00 00 00 00 00", header{}, "", "unknown frame kind 0x7f"},
}

func TestHeader(t *testing.T) {
	for _, tt := range headerTests {
		t.Run(tt.hex, func(t *testing.T) {
			h, err := parseHeader(unhex(tt.hex))
			if tt.err != "" {
				var pe *ProtocolError
				require.ErrorAs(t, err, &pe)
				require.Equal(t, tt.err, pe.Reason)
				return
			}
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(tt.want, h, cmp.AllowUnexported(header{})))
			require.Equal(t, tt.name, h.kind.String())
			if h.kind < kindSkip {
				require.Equal(t, unhex(tt.hex), appendHeader(nil, h.kind, int(h.length), h.id))
			}
		})
	}
}

func TestCost(t *testing.T) {
	for _, tt := range []struct {
		n          int
		cost, rest int64
		eager      int64 // cost if both sides know of messages that need no grant, and rest
		eagerRest  int64
	}{
		{1, 33, 0, 33, 0},
		{32768, 32800, 0, 32800, 0},
		{32769, 32800, 9, 32801, 0},
		{131072, 32800, 98312, 131104, 0},
		{131073, 32800, 98313, 32800, 98313},
		{100 << 20, 32800, 100<<20 - 32760, 32800, 100<<20 - 32760},
	} {
		for _, eager := range []bool{false, true} {
			z, cost, rest := sizing{eager: eager}, tt.cost, tt.rest
			if eager {
				cost, rest = tt.eager, tt.eagerRest
			}
			require.Equal(t, cost, z.cost(tt.n), "cost of %d bytes", tt.n)
			require.Equal(t, rest, z.rest(tt.n), "rest of %d bytes", tt.n)
			require.Equal(t, rest > 0, z.needsGrant(tt.n))
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, tt := range headerTests {
		f.Add(unhex(tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		h, err := parseHeader(b)
		if err != nil {
			var pe *ProtocolError
			require.ErrorAs(t, err, &pe)
			return
		}
		if h.kind < kindSkip {
			require.Equal(t, b[:headerSize], appendHeader(nil, h.kind, int(h.length), h.id))
			require.LessOrEqual(t, int(h.length), maxPayload)
		}
	})
}
