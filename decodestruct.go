package viaduct

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

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
// a field's, then a value of another type was sent: gob refuses that, too, if the struct is the whole body.
func (s *structPlan) decodeMap(d *decoder, h mpack.Head, v reflect.Value) error {
	matched, next := d.size != len(d.b)+h.Size, 0
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
		if s.array { // these may be Params
			d.skipLabel(f.plan.typ)
		}
		if err := f.plan.decode(d, v.Field(f.index)); err != nil {
			return atPath(f.name, err)
		}
	}
	return nil
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
