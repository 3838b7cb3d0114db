package player

import (
	"testing"

	"github.com/viaduct-go/viaduct/internal/message"
)

// TestSameAnswer: what says the same in other bytes, and what does not.
func TestSameAnswer(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"\x82\xa1a\x01\xa1b\x02", "\xde\x00\x02\xa1b\xcc\x02\xa1a\xd0\x01", true}, // keys, formats of numbers
		{"\x82\xa1a\x01\xa1b\x02", "\x82\xa1a\x02\xa1b\x01", false},
		{"\x81\xa1a\x01", "\x82\xa1a\x01\xa1b\x02", false},
		{"\xca\x3f\x80\x00\x00", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", true}, // 1.0
		{"\x01", "\xca\x3f\x80\x00\x00", false},
		{"\xff", "\xd1\xff\xff", true}, // -1
		{"\xa1x", "\xd9\x01x", true},
		{"\xa1x", "\xc4\x01x", false}, // str, bin
		{"\x92\x01\x02", "\x92\x02\x01", false},
		{"\xc0", "\xc2", false},
		{"\xc3", "\xc2", false},
		{"\xd4\x05x", "\xd4\x06x", false},
		{"\xc1", "\xc1", true}, // not well-formed
		{"\x92\x01", "\x92\x01\x01", false},
	} {
		if got := sameAnswer(&message.Message{Body: []byte(tt.a)}, &message.Message{Body: []byte(tt.b)}); got != tt.same {
			t.Errorf("%x and %x: %v", tt.a, tt.b, got)
		}
		if sameAnswer(&message.Message{Body: []byte(tt.a)}, &message.Message{Err: []byte(tt.a)}) {
			t.Errorf("%x is the same as an error", tt.a)
		}
	}
	crash := func(stack string) *message.Message {
		return &message.Message{Err: []byte("\x82\xa4text\xa1x\xa5panic\x93\xa1v\xa1" + stack + "\xc2")}
	}
	if !sameAnswer(crash("1"), crash("2")) {
		t.Error("stacks are compared")
	}
}
