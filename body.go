package viaduct

import (
	"fmt"
	"math"
	"reflect"

	"github.com/shamaton/msgpack/v2"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// appendBody appends v to b. Structs are written as maps, so that missing,
// extra and reordered fields do no harm.
func appendBody(b []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case nil:
		return mpack.AppendNil(b), nil
	case []byte:
		return appendBytes(b, v)
	case *[]byte:
		if v == nil {
			return mpack.AppendNil(b), nil
		}
		return appendBytes(b, *v)
	}
	// msgpack panics on some values, for instance one that changes meanwhile.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	encoded, err := msgpack.MarshalAsMap(v)
	if err != nil {
		return b, err
	}
	return append(b, encoded...), nil
}

// appendBytes is apart because msgpack copies a []byte byte by byte.
func appendBytes(b, p []byte) ([]byte, error) {
	switch {
	case p == nil:
		return mpack.AppendNil(b), nil
	case uint64(len(p)) > math.MaxUint32:
		return nil, fmt.Errorf("%d bytes are more than MessagePack can carry", len(p))
	}
	return mpack.AppendBin(b, p), nil
}

// decodeBody decodes the one value in b into what v points to. A nil v means
// that nobody wants it. A nil value leaves *v as it is. A []byte decoded may
// alias b.
func decodeBody(b []byte, v any, maxDepth int) (err error) {
	if v == nil {
		return nil
	}
	// What msgpack is given is whole and shallow: otherwise a few bytes could
	// make it overflow the stack, or take any amount of memory.
	if err := mpack.Check(b, maxDepth); err != nil {
		return err
	}
	h, err := mpack.ReadHead(b)
	if err != nil {
		return err
	}
	if h.Kind == mpack.Nil {
		return nil
	}
	dst := reflect.TypeOf(v)
	if dst.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return fmt.Errorf("type %v is not a pointer, or it is nil: there is nothing to decode into", dst)
	}
	if p, ok := v.(*[]byte); ok {
		if h.Kind != mpack.Bin && h.Kind != mpack.Str {
			return typeMismatch(h, reflect.TypeOf(p).Elem())
		}
		*p = b[h.Size:len(b):len(b)]
		return nil
	}
	if err := checkFields(h, b, dst.Elem()); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", typeMismatch(h, dst.Elem()), r)
		}
	}()
	if err := msgpack.UnmarshalAsMap(b, v); err != nil {
		return fmt.Errorf("%w: %w", typeMismatch(h, dst.Elem()), err)
	}
	return nil
}

func typeMismatch(h mpack.Head, dst reflect.Type) error {
	return fmt.Errorf("type mismatch: MessagePack %v into Go type %v", h.Kind, dst)
}
