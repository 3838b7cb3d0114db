package message

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// FuzzParseMessage: what is taken is within the bytes, and says what they say.
func FuzzParseMessage(f *testing.F) {
	for _, tt := range messageTests {
		f.Add(testkit.Unhex(f, tt.hex))
	}
	for _, tt := range illegalTests {
		f.Add(testkit.Unhex(f, tt.hex))
	}
	for _, b := range testkit.Hostile() {
		f.Add(append([]byte{0x94, 0, 5, 0xa1, 'm', 0x91}, b...))
		f.Add(append([]byte{0x94, 1, 5}, b...))
		f.Add(append([]byte{0x95, 0, 5, 0xa1, 'm'}, b...))
	}
	for _, s := range []string{"c4 02 7b 7d", "c4 03 7b 7d", "c6 ff ff ff ff 7b", "c4 05 5b 31 2c 32 5d", "a2 7b 7d", "c0", ""} { // JSON in a bin, and not quite
		f.Add(append([]byte{0x94, 0, 5, 0xa1, 'm', 0x91}, testkit.Unhex(f, s)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b, 100)
		if slow, slowErr := parseAny(b, 100); !reflect.DeepEqual(m, slow) || !reflect.DeepEqual(err, slowErr) {
			t.Fatalf("%x is %+v, %v; in short %+v, %v", b, slow, slowErr, m, err)
		}
		if err != nil {
			if _, ok := err.(*fault.ProtocolError); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if m.Size != len(b) || len(m.Method)+len(m.Err)+len(m.Body) > len(b) {
			t.Fatal("more than there is")
		}
		if m.Kind == Response {
			if text := plain.ErrorText(&m); (text == "") != (m.Err == nil) {
				t.Fatalf("error %x is %q", m.Err, text)
			}
			return
		}
		var v any
		_ = (&Codec{Body: &body.Codec{MaxDepth: 100, Encoding: body.JSON{}}}).DecodeArgument(&m, &v, nil)
		if shallow.DecodeArgument(&m, &v, nil) == nil {
			again := mpack.AppendString([]byte{0x94, 0, 0xce, 0, 0, 0, 0}, string(m.Method))
			if m.Kind == Notification {
				again = mpack.AppendString([]byte{0x93, 2}, string(m.Method))
			} else {
				SetID(again, m.ID)
			}
			m2, err := Parse(append(again, m.Body...), 100)
			if err != nil || m2.ID != m.ID || m2.Kind != m.Kind || !bytes.Equal(m2.Body, m.Body) {
				t.Fatalf("%x written again is another message: %v", b, err)
			}
		}
	})
}
