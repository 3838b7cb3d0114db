package viaduct

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// decoder reads one body, which has been checked: it is one whole value of
// limited depth. Every method leaves b behind what it has read.
type decoder struct {
	b      []byte
	goPeer bool // ext values may have gob in them
	depth  int  // of pointers around the value; the bytes' own depth has been checked
	budget int  // bytes of memory it may still take
}

const (
	// memoryFactor and memoryBase bound what a body of n bytes may make the
	// receiver allocate: memoryFactor * n + memoryBase bytes. Otherwise an
	// array of empty maps, one byte each, into large structs could take any amount.
	memoryFactor = 64
	memoryBase   = 1 << 20
	// maxPointers bounds pointers to pointers: a type like type T *T has no end.
	maxPointers = 10000
)

func (d *decoder) spend(n uintptr) error {
	if uint64(n) > uint64(d.budget) {
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

func mismatch(h mpack.Head, v reflect.Value) error { return typeMismatch(h, v.Type()) }

func outOfRange(v reflect.Value, number any) error {
	return fmt.Errorf("type mismatch: %v is out of the range of %v", number, v.Type())
}

func decodeBool(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Bool:
		return mismatch(h, v)
	}
	v.SetBool(h.Num == 1)
	return nil
}

func decodeInt(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	n := int64(h.Num)
	switch h.Kind {
	case mpack.Int:
	case mpack.Uint:
		if n < 0 {
			return outOfRange(v, h.Num)
		}
	case mpack.Float: // of languages that have no other numbers
		f := floatOf(h)
		if n = int64(f); float64(n) != f || f >= 1<<63 {
			return outOfRange(v, f)
		}
	default:
		return mismatch(h, v)
	}
	if v.OverflowInt(n) {
		return outOfRange(v, n)
	}
	v.SetInt(n)
	return nil
}

func decodeUint(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	n := h.Num
	switch h.Kind {
	case mpack.Uint:
	case mpack.Int:
		if int64(n) < 0 {
			return outOfRange(v, int64(n))
		}
	case mpack.Float:
		f := floatOf(h)
		if f < 0 || f >= 1<<64 || float64(uint64(f)) != f {
			return outOfRange(v, f)
		}
		n = uint64(f)
	default:
		return mismatch(h, v)
	}
	if v.OverflowUint(n) {
		return outOfRange(v, n)
	}
	v.SetUint(n)
	return nil
}

func floatOf(h mpack.Head) float64 {
	if h.Size == 5 {
		return float64(math.Float32frombits(uint32(h.Num)))
	}
	return math.Float64frombits(h.Num)
}

func decodeFloat(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	var f float64
	switch h.Kind {
	case mpack.Float:
		f = floatOf(h)
	case mpack.Int:
		if f = float64(int64(h.Num)); f >= 1<<63 || int64(f) != int64(h.Num) {
			return outOfRange(v, int64(h.Num))
		}
	case mpack.Uint:
		if f = float64(h.Num); f >= 1<<64 || uint64(f) != h.Num {
			return outOfRange(v, h.Num)
		}
	default:
		return mismatch(h, v)
	}
	if v.OverflowFloat(f) {
		return outOfRange(v, f)
	}
	v.SetFloat(f)
	return nil
}

func decodeComplex(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Ext || int8(h.Num) != complexCode {
		return mismatch(h, v)
	}
	var c complex128
	switch p := d.payload(h); len(p) {
	case 8:
		c = complex(float64(math.Float32frombits(binary.BigEndian.Uint32(p))), float64(math.Float32frombits(binary.BigEndian.Uint32(p[4:]))))
	case 16:
		c = complex(math.Float64frombits(binary.BigEndian.Uint64(p)), math.Float64frombits(binary.BigEndian.Uint64(p[8:])))
	default:
		return mismatch(h, v)
	}
	if v.OverflowComplex(c) {
		return outOfRange(v, c)
	}
	v.SetComplex(c)
	return nil
}

// complexCode is the ext type that the msgpack library gives complex numbers.
const complexCode = -128

func decodeString(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Str && h.Kind != mpack.Bin:
		return mismatch(h, v)
	}
	v.SetString(string(d.payload(h)))
	return nil
}

func decodeByteSlice(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	switch h.Kind {
	case mpack.Nil:
		v.SetZero()
	case mpack.Bin, mpack.Str:
		v.SetBytes(d.payload(h))
	default:
		return mismatch(h, v)
	}
	return nil
}

func decodeByteArray(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Bin && h.Kind != mpack.Str:
		return mismatch(h, v)
	case int(h.Bytes) != v.Len():
		return fmt.Errorf("type mismatch: %d bytes into Go type %v", h.Bytes, v.Type())
	}
	reflect.Copy(v, reflect.ValueOf(d.payload(h)))
	return nil
}

// decodeTime reads a MessagePack timestamp.
func decodeTime(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Ext || int8(h.Num) != -1 {
		return mismatch(h, v)
	}
	t, err := parseTime(d.payload(h))
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func parseTime(p []byte) (time.Time, error) {
	var secs int64
	var nano uint32
	switch len(p) {
	case 4:
		secs = int64(binary.BigEndian.Uint32(p))
	case 8:
		n := binary.BigEndian.Uint64(p)
		nano, secs = uint32(n>>34), int64(n&(1<<34-1))
	case 12:
		nano, secs = binary.BigEndian.Uint32(p), int64(binary.BigEndian.Uint64(p[4:]))
	default:
		return time.Time{}, fmt.Errorf("timestamp of %d bytes, expected 4, 8 or 12", len(p))
	}
	if nano > 999999999 {
		return time.Time{}, fmt.Errorf("timestamp with %d nanoseconds", nano)
	}
	return time.Unix(secs, int64(nano)).UTC(), nil
}

func decodeExt(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Ext:
		return mismatch(h, v)
	}
	v.Set(reflect.ValueOf(Ext{Code: int8(h.Num), Data: d.payload(h)}))
	return nil
}

func decodeSlice(d *decoder, v reflect.Value, elem *plan) error {
	if d.skipNil() {
		v.SetZero()
		return nil
	}
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Array {
		return mismatch(h, v)
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

// decodeMap reads into a new map.
func decodeMap(d *decoder, v reflect.Value, key, elem *plan) error {
	if d.skipNil() {
		v.SetZero()
		return nil
	}
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Map {
		return mismatch(h, v)
	}
	t := v.Type()
	// The map grows with what is in it, so its size hint is for small ones.
	v.Set(reflect.MakeMapWithSize(t, int(min(h.Elems/2, 64))))
	size := 2*(key.typ.Size()+elem.typ.Size()) + 16
	for range h.Elems / 2 {
		if err := d.spend(size); err != nil {
			return err
		}
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := key.decode(d, k); err != nil {
			return atPath("[key]", err)
		}
		if !k.Comparable() {
			return fmt.Errorf("type mismatch: %v cannot be a key of %v", k.Type(), t)
		}
		if err := elem.decode(d, e); err != nil {
			return atPath(fmt.Sprintf("[%v]", k), err)
		}
		v.SetMapIndex(k, e)
	}
	return nil
}

func (s *structPlan) decode(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	switch h.Kind {
	case mpack.Map:
		return s.decodeMap(d, h, v)
	case mpack.Array:
		return s.decodeArray(d, h, v)
	}
	return mismatch(h, v)
}

// decodeMap sets the fields whose keys are there. If there are keys, and none is
// a field's, then a value of another type was sent: gob refuses that, too.
func (s *structPlan) decodeMap(d *decoder, h mpack.Head, v reflect.Value) error {
	matched, next := false, 0
	start := d.b
	for range h.Elems / 2 {
		i, err := s.field(d, next)
		if err != nil {
			return err
		}
		if i < 0 {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		matched, next = true, i+1
		f := &s.fields[i]
		if err := f.plan.decode(d, v.Field(f.index)); err != nil {
			return atPath(f.name, err)
		}
	}
	if !matched && h.Elems > 0 && len(s.fields) > 0 {
		return fmt.Errorf("type mismatch: no field of %v among the keys sent: %s", v.Type(), keyList(start, h.Elems/2))
	}
	return nil
}

// field reads a key and returns the field's place, -1 if there is none. Fields mostly come
// in order, so next is tried first.
func (s *structPlan) field(d *decoder, next int) (int, error) {
	h, err := d.head()
	if err != nil {
		return 0, err
	}
	if h.Kind != mpack.Str && h.Kind != mpack.Bin {
		// Not a name. Its parts have to be skipped, too.
		d.b = d.b[h.Bytes:]
		for range h.Elems {
			if err := d.skip(); err != nil {
				return 0, err
			}
		}
		return -1, nil
	}
	name := d.payload(h)
	if next < len(s.fields) && s.fields[next].name == string(name) {
		return next, nil
	}
	if i, ok := s.byName[string(name)]; ok {
		return i, nil
	}
	return -1, nil
}

// decodeArray sets the fields in order. More or fewer elements than fields are
// a mismatch: nothing says which is which.
func (s *structPlan) decodeArray(d *decoder, h mpack.Head, v reflect.Value) error {
	if h.Elems != uint64(len(s.fields)) {
		return fmt.Errorf("type mismatch: array of %d elements into the %d fields of %v", h.Elems, len(s.fields), v.Type())
	}
	for i := range s.fields {
		f := &s.fields[i]
		if err := f.plan.decode(d, v.Field(f.index)); err != nil {
			return atPath(f.name, err)
		}
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
	*d = decoder{b: b, goPeer: o.goPeer(), budget: memoryBudget(len(b))}
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
	return planOf(dst.Type().Elem()).decode(d, dst.Elem())
}

func memoryBudget(n int) int {
	if n > (math.MaxInt-memoryBase)/memoryFactor {
		return math.MaxInt
	}
	return memoryFactor*n + memoryBase
}

// keyList names the keys of a map of n pairs at the start of b, for an error.
func keyList(b []byte, n uint64) string {
	var keys []string
	for range min(n, 8) {
		size, err := mpack.Skip(b, len(b))
		if err != nil {
			break
		}
		if key, err := mpack.Text(b[:size]); err == nil {
			keys = append(keys, fmt.Sprintf("%.40q", key))
		}
		b = b[size:]
		if size, err = mpack.Skip(b, len(b)); err != nil {
			break
		}
		b = b[size:]
	}
	if n > 8 {
		keys = append(keys, "...")
	}
	return strings.Join(keys, ", ")
}
