// Package body turns Go values into MessagePack and back: the arguments and replies of calls.
//
// It assumes that the bytes of a body are all there, and nothing else of them: structure, depth,
// kinds, ranges and the memory that a body takes are checked, and what a user's type does is
// recovered from. Each type has a plan, made when it is first met. A plan writes what it knows to
// be MessagePack, reads what fits the type whole, and has an error for everything else: nothing
// wraps, nothing is dropped in silence. There is a file for each kind of value, which plans, writes
// and reads it.
package body

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Codec says how the bodies of a link are written and read. It does not change. A nil *Codec and
// zero fields mean plain MessagePack.
type Codec struct {
	Encoding Encoding // nil: MessagePack
	GoPeer   bool     // the other side is a Go program: types that MessagePack would damage go as with gob
	Zones    bool     // the other side takes times with their offsets
	Arrays   bool     // structs are written as arrays of their fields; either form is read
	MaxDepth int      // how deep arrays and maps of a body may nest that is read; 0: DefaultMaxDepth
}

const (
	// DefaultMaxDepth is Codec.MaxDepth if that is not set.
	DefaultMaxDepth = 1000

	// MostDepth is the largest MaxDepth. To read what is ten times as deep would overflow the stack.
	MostDepth = 100_000
)

func (c *Codec) encoding() Encoding {
	if c == nil {
		return nil
	}
	return c.Encoding
}

func (c *Codec) goPeer() bool { return c != nil && c.GoPeer }

func (c *Codec) zones() bool { return c != nil && c.Zones }

func (c *Codec) arrays() bool { return c != nil && c.Arrays }

// Depth is how deep arrays and maps may nest.
func (c *Codec) Depth() int {
	if c == nil || c.MaxDepth <= 0 {
		return DefaultMaxDepth
	}
	return min(c.MaxDepth, MostDepth)
}

// Plain is c without an Encoding of its own: for values that are the protocol's.
func (c *Codec) Plain() *Codec {
	if c.encoding() == nil {
		return c
	}
	plain := *c
	plain.Encoding = nil
	return &plain
}

// NoLimit is for values that may be of any size.
const NoLimit = math.MaxInt

// Append appends v to b, of any size.
func (c *Codec) Append(b []byte, v any) ([]byte, error) { return c.AppendWithin(b, v, NoLimit) }

// AppendWithin appends v to b. If b would have more than limit bytes then it returns a
// *fault.SizeError, as soon as it knows, so that the size in it is a lower bound.
func (c *Codec) AppendWithin(b []byte, v any, limit int) ([]byte, error) {
	if v == nil {
		return mpack.AppendNil(b), nil
	}
	if enc := c.encoding(); enc != nil {
		return appendEncoded(b, v, enc, limit)
	}
	switch v := v.(type) {
	case []byte: // no copy but the one into b, and no reflection
		if n := len(b) + mpack.SizeOfBin(len(v)); n > limit {
			return b, &fault.SizeError{Size: n, Limit: limit}
		}
		return appendBytes(b, v)
	}
	return appendValue(b, v, c, limit)
}

// Decode decodes the one value in b into what v points to. A nil v means that nobody wants it. A
// nil value leaves *v as it is, but empties a slice. A []byte decoded may alias b.
func (c *Codec) Decode(b []byte, v any) error { return c.decode(b, v, nil) }

func (c *Codec) decode(b []byte, v any, account *Account) error {
	if v == nil {
		return nil
	}
	if enc := c.encoding(); enc != nil {
		return decodeEncoded(b, v, enc)
	}
	// What is read then is whole and not too deep: a decoder that recurses does no harm, and need
	// not look at the ends of anything.
	if err := mpack.Check(b, c.Depth()); err != nil {
		return err
	}
	if b[0] == nilByte {
		// What was there stays, but for a slice: as with gob, nothing is left of that.
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() && p.Elem().Kind() == reflect.Slice {
			p.Elem().SetZero()
		}
		return nil
	}
	if err := pointerTo(v); err != nil {
		return err
	}
	err := decodeValue(b, reflect.ValueOf(v), c, account)
	if err != nil && b[0] >= 0xc4 && b[0] <= 0xc6 && !errors.Is(err, ErrMemory) { // a bin, as encodings send
		err = fmt.Errorf("%w (has the other side the same Options.Encoding?)", err)
	}
	return err
}

// nilByte is MessagePack's nil.
const nilByte = 0xc0

// TypeName names the type of v in errors.
func TypeName(v any) string { return fmt.Sprint(reflect.TypeOf(v)) }

// pointerTo reports whether there is something to decode into.
func pointerTo(v any) error {
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("type %v is not a pointer, or it is nil: there is nothing to decode into", p.Type())
	}
	return nil
}

func mismatch(h mpack.Head, v reflect.Value) error {
	return fmt.Errorf("type mismatch: MessagePack %v into Go type %v", h.Kind, v.Type())
}

// errTooLong reports what has a length that MessagePack has no room for.
func errTooLong(n int, what string) error {
	if uint64(n) > math.MaxUint32 {
		return fmt.Errorf("%d %s are more than MessagePack can carry", n, what)
	}
	return nil
}
