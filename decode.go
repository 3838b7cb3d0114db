package viaduct

import (
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// decoder reads one body, which has been checked: it is one whole value of
// limited depth. Every method leaves b behind what it has read.
type decoder struct {
	b      []byte
	size   int  // of b at first
	goPeer bool // ext values may have gob in them
	depth  int  // of pointers around the value; the bytes' own depth has been checked
	budget int  // bytes of memory it may still take
}

const (
	// memoryFactor and memoryBase bound what a body of n bytes may make the
	// receiver allocate: memoryFactor * n + memoryBase bytes. Otherwise an
	// array of empty maps, one byte each, into large structs could take any amount.
	memoryFactor = 256
	memoryBase   = 1 << 20
	// maxPointers bounds pointers to pointers: a type like type T *T has no end.
	maxPointers = 10000
)

// spend charges n bytes, and what the allocator rounds them up by, a quarter at most.
func (d *decoder) spend(n uintptr) error {
	if n += n / 4; uint64(n) > uint64(d.budget) {
		return fmt.Errorf("message would take more than %d times its size in memory, plus %d bytes", memoryFactor, memoryBase)
	}
	d.budget -= int(n)
	return nil
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxPointers {
		return errCyclic
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

// head reads the head of the next value.
func (d *decoder) head() (mpack.Head, error) {
	h, err := mpack.ReadHead(d.b)
	if err != nil {
		return h, err
	}
	d.b = d.b[h.Size:]
	return h, nil
}

// payload reads the bytes of a str, bin or ext.
func (d *decoder) payload(h mpack.Head) []byte {
	p := d.b[:h.Bytes:h.Bytes]
	d.b = d.b[h.Bytes:]
	return p
}

func (d *decoder) skipNil() bool {
	if len(d.b) > 0 && d.b[0] == 0xc0 {
		d.b = d.b[1:]
		return true
	}
	return false
}

func (d *decoder) skip() error {
	n, err := mpack.Skip(d.b, len(d.b))
	if err == nil {
		d.b = d.b[n:]
	}
	return err
}

// headOrNil reads the head of a value of the given kind, or a nil, which it sets v to.
func (d *decoder) headOrNil(v reflect.Value, kind mpack.Kind) (h mpack.Head, isNil bool, err error) {
	if d.skipNil() {
		v.SetZero()
		return h, true, nil
	}
	if h, err = d.head(); err == nil && h.Kind != kind {
		err = mismatch(h, v)
	}
	return h, false, err
}

func decodeSlice(d *decoder, v reflect.Value, elem *plan) error {
	h, isNil, err := d.headOrNil(v, mpack.Array)
	if isNil || err != nil {
		return err
	}
	n := int(h.Elems)
	if v.Cap() >= n {
		v.SetLen(n) // reused, but not what is in it
		v.Clear()
	} else {
		if uint64(n) > uint64(d.budget)/uint64(max(elem.typ.Size(), 1)) {
			return d.spend(uintptr(d.budget) + 1)
		}
		if err := d.spend(uintptr(n) * elem.typ.Size()); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	}
	if v.IsNil() {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	return decodeElems(d, v, elem)
}

func decodeArray(d *decoder, v reflect.Value, elem *plan) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Array:
		return mismatch(h, v)
	case h.Elems != uint64(v.Len()):
		return fmt.Errorf("type mismatch: array of %d elements into Go type %v", h.Elems, v.Type())
	}
	return decodeElems(d, v, elem)
}

func decodeElems(d *decoder, v reflect.Value, elem *plan) error {
	for i := range v.Len() {
		if err := elem.decode(d, v.Index(i)); err != nil {
			return atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

// mapHeader is what a map takes beside its keys and values.
const mapHeader = 56

// mapRoom says how much a key or element takes in a map, and how much beside
// it: what is large is kept outside.
func mapRoom(t reflect.Type) (in, out uintptr) {
	if t.Size() > 128 {
		return 8, t.Size()
	}
	return t.Size(), 0
}

// decodeMap reads into a new map.
func decodeMap(d *decoder, v reflect.Value, key, elem *plan) error {
	h, isNil, err := d.headOrNil(v, mpack.Map)
	if isNil || err != nil {
		return err
	}
	t, n := v.Type(), h.Elems/2
	if err := d.spend(mapHeader); err != nil {
		return err
	}
	// The map grows with what is in it: the size hint is for those with room for eight.
	v.Set(reflect.MakeMapWithSize(t, int(min(n, 8))))
	if n == 0 {
		return nil
	}
	ks, kout := mapRoom(key.typ)
	es, eout := mapRoom(elem.typ)
	// Room for eight, however few there are, and one to decode into.
	if err := d.spend(8*(ks+es) + key.typ.Size() + elem.typ.Size()); err != nil {
		return err
	}
	k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	for i := range n {
		size := kout + eout
		if i == 8 { // room for 32 more, and what there was is garbage
			size += 32 * (ks + es + 1)
		} else if i > 40 {
			size += 4*(ks+es) + 32
		}
		if err := d.spend(size); err != nil {
			return err
		}
		k.SetZero()
		e.SetZero()
		if err := key.decode(d, k); err != nil {
			return atPath("[key]", err)
		}
		if !k.Comparable() {
			return fmt.Errorf("type mismatch: %v cannot be a key of %v", k.Type(), t)
		}
		if err := elem.decode(d, e); err != nil {
			return atPath(keyStep(k), err)
		}
		v.SetMapIndex(k, e)
	}
	return nil
}

func decodeMsg(d *decoder, v reflect.Value) error {
	n, err := mpack.Skip(d.b, len(d.b))
	if err != nil {
		return err
	}
	rest, err := v.Addr().Interface().(msgUnmarshaler).UnmarshalMsg(d.b[:n:n])
	if err != nil {
		return fmt.Errorf("type mismatch: %v: %w", v.Type(), err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("UnmarshalMsg of %v left %d bytes", v.Type(), len(rest))
	}
	d.b = d.b[n:]
	return nil
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decodeValue decodes b, one checked value, into what dst points to.
func decodeValue(b []byte, dst reflect.Value, o *Options) (err error) {
	d := decoders.Get().(*decoder)
	*d = decoder{b: b, size: len(b), goPeer: o.goPeer(), budget: memoryBudget(len(b))}
	defer func() {
		*d = decoder{}
		decoders.Put(d)
	}()
	// A type's own methods may panic.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic while decoding into %v: %v", dst.Type(), r)
		}
	}()
	d.skipLabel(dst.Type().Elem())
	return planOf(dst.Type().Elem()).decode(d, dst.Elem())
}

func memoryBudget(n int) int {
	if n > (math.MaxInt-memoryBase)/memoryFactor {
		return math.MaxInt
	}
	return memoryFactor*n + memoryBase
}
