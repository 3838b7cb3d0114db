package viaduct

import (
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// appendBody appends v to b.
func (o *Options) appendBody(b []byte, v any) ([]byte, error) {
	if v == nil {
		return mpack.AppendNil(b), nil
	}
	if enc := o.encoding(); enc != nil {
		return appendEncoded(b, v, enc)
	}
	switch v := v.(type) {
	case []byte: // no copy but the one into b, and no reflection
		return appendBytes(b, v)
	}
	return appendValue(b, v, o)
}

func appendBytes(b, p []byte) ([]byte, error) {
	switch {
	case p == nil:
		return mpack.AppendNil(b), nil
	case uint64(len(p)) > math.MaxUint32:
		return b, fmt.Errorf("%d bytes are more than MessagePack can carry", len(p))
	}
	return mpack.AppendBin(b, p), nil
}

// decodeBody decodes the one value in b into what v points to. A nil v means
// that nobody wants it. A nil value leaves *v as it is, but empties a slice. A []byte decoded may
// alias b.
func (o *Options) decodeBody(b []byte, v any) error {
	if v == nil {
		return nil
	}
	if enc := o.encoding(); enc != nil {
		return decodeEncoded(b, v, enc)
	}
	// What is read then is whole and not too deep: a decoder that recurses does no
	// harm, and need not look at the ends of anything.
	if err := mpack.Check(b, o.maxDepth()); err != nil {
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
	return decodeValue(b, reflect.ValueOf(v), o)
}

// nilByte is MessagePack's nil.
const nilByte = 0xc0

func typeMismatch(h mpack.Head, dst reflect.Type) error {
	return fmt.Errorf("type mismatch: MessagePack %v into Go type %v", h.Kind, dst)
}
