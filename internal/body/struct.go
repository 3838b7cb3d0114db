package body

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// structPlan is what is particular to a struct.
type structPlan struct {
	fields []structField
	taken  []takenField   // are read where their key is there, and never written
	byName map[string]int // the place in fields, or behind those in taken
	omits  bool           // one of them is left out when it is empty
	array  bool           // it goes as an array: see Positional
}

type structField struct {
	index  int
	name   string
	key    []byte // the name, encoded
	omit   bool   // if it is empty
	caller bool   // it is the embedded Caller, which is left out without Metadata
	mark   uint64 // a bit of its own, if fields in it are taken; otherwise 0
	plan   *plan
}

func (m *planner) fillStruct(p *plan) {
	t := p.typ
	positional := takesPositions(t)
	s := &structPlan{byName: make(map[string]int), array: t == special.Positional}
	hidden := ""
	var left []string // fields that are not sent
	var never []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if name == "-" && opts == "" {
			left = append(left, f.Name)
			continue
		}
		if f.Type == special.Positional && f.Anonymous {
			s.array = true
			continue
		}
		caller := f.Type == special.Caller && f.Anonymous
		if caller && positional {
			continue // is no parameter
		}
		if !f.IsExported() {
			if f.Name != "_" {
				hidden = cmp.Or(hidden, f.Name)
				left = append(left, f.Name)
			}
			if names := exportedIn(f); names != nil {
				p.lose(f.Name, fmt.Errorf("%v is embedded and not exported, so what is in it (%s) is not sent", f.Type, strings.Join(names, ", ")))
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		if neverSent(f.Type) {
			never = append(never, f)
			p.lose(f.Name, fmt.Errorf("type %v cannot be sent, and the field is left out: give it the tag `msgpack:\"-\"` if that is meant", f.Type))
			p.notes = append(p.notes, fmt.Sprintf("%v is sent without %s: type %v cannot be sent", t, f.Name, f.Type))
			continue
		}
		if _, taken := s.byName[name]; taken {
			p.fail("", fmt.Errorf("type %v has two fields named %q", t, name))
			return
		}
		s.byName[name] = len(s.fields)
		omit := strings.Contains(","+opts+",", ",omitempty,")
		s.omits = s.omits || omit || caller
		s.fields = append(s.fields, structField{
			index: i, name: name, key: mpack.AppendString(nil, name), omit: omit, caller: caller,
			plan: m.part(p, f.Type, f.Name),
		})
	}
	if len(s.fields) == 0 && never != nil {
		p.fail(never[0].Name, fmt.Errorf("type %v cannot be sent, and there is nothing else to send in %v", never[0].Type, t))
		return
	}
	if len(s.fields) == 0 && hidden != "" && !gobwire.Has(t, contextSetter) {
		p.fail("", fmt.Errorf("type %v has no exported field: what is in it (%s, ...) would be lost", t, hidden))
		return
	}
	m.take(s, t, never)
	if left != nil && t != special.Caller {
		p.notes = append(p.notes, fmt.Sprintf("%v is sent without %s", t, strings.Join(left, ", ")))
	}
	p.fields = s
	p.encode, p.decode = s.encode, s.decode
}

func (s *structPlan) encode(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	left := len(s.fields)
	asArray := e.arrays || s.array
	if asArray {
		e.b = mpack.AppendArray(e.b, left)
	} else {
		left = s.count(v)
		e.b = mpack.AppendMap(e.b, left)
	}
	for i := range s.fields {
		f := &s.fields[i]
		field := v.Field(f.index)
		if !asArray {
			if f.leftOut(field) {
				continue
			}
			e.b = append(e.b, f.key...)
		}
		left--
		if e.goPeer && f.plan.zeroFails != nil && field.IsZero() && f.plan.zeroFails() {
			e.b = mpack.AppendNil(e.b)
			continue
		}
		if err := f.plan.encode(e, field); err != nil {
			return atPath(f.name, err)
		}
	}
	if left != 0 { // what has been written is no value
		return errors.New("struct was changed while it was being sent")
	}
	return nil
}

// leftOut reports whether the field, v, is empty, and may be left out then.
func (f *structField) leftOut(v reflect.Value) bool {
	if f.caller { // its context does not count
		return v.Field(0).Len() == 0
	}
	return f.omit && v.IsZero()
}

func (s *structPlan) count(v reflect.Value) int {
	n := len(s.fields)
	if s.omits {
		for i := range s.fields {
			if f := &s.fields[i]; f.leftOut(v.Field(f.index)) {
				n--
			}
		}
	}
	return n
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

// decodeMap sets the fields whose keys are there. If there are keys, and none is a field's, then a
// value of another type was sent: gob refuses that, too, if the struct is the whole body or was in
// an interface, and everywhere a map whose keys are no names.
func (s *structPlan) decodeMap(d *decoder, h mpack.Head, v reflect.Value) error {
	whole := d.whole == len(d.b)+h.Size
	matched, named, next := false, true, 0
	start := d.b
	seen := uint64(0) // the marks of the fields that have come, but for nils
	for range h.Elems / 2 {
		i, err := s.field(d, next)
		if err != nil {
			return err
		}
		if i < 0 {
			named = named && i != noName
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		matched = true
		if i >= len(s.fields) {
			if err := s.taken[i-len(s.fields)].decode(d, v, seen); err != nil {
				return err
			}
			continue
		}
		next = i + 1
		f := &s.fields[i]
		if d.b[0] != nilByte {
			seen |= f.mark
		}
		if err := d.part(f.plan, v.Field(f.index)); err != nil {
			return atPath(f.name, err)
		}
	}
	if !matched && h.Elems > 0 && len(s.fields) > 0 && (whole || !named) {
		return fmt.Errorf("type mismatch: no field of %v among the keys sent: %s", v.Type(), keyList(start, h.Elems/2))
	}
	return nil
}

// What field returns if there is none.
const (
	noField = -1 // of that name
	noName  = -2 // the key is no text
)

// field reads a key and returns the place of the field, in fields and taken, or why there is none.
// Fields mostly come in order, and with their keys as this side writes them, so that of next is tried
// first.
func (s *structPlan) field(d *decoder, next int) (int, error) {
	if next < len(s.fields) {
		if key := s.fields[next].key; bytes.HasPrefix(d.b, key) {
			d.b = d.b[len(key):]
			return next, nil
		}
	}
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
		return noName, nil
	}
	name := d.payload(h)
	if i, ok := s.byName[string(name)]; ok {
		return i, nil
	}
	return noField, nil
}

// decodeArray sets the fields in order. More or fewer elements than fields are
// a mismatch: nothing says which is which.
func (s *structPlan) decodeArray(d *decoder, h mpack.Head, v reflect.Value) error {
	if h.Elems != uint64(len(s.fields)) {
		return fmt.Errorf("type mismatch: array of %d elements into the %d fields of %v (with Options.StructsAsArrays both sides must have the same)", h.Elems, len(s.fields), v.Type())
	}
	for i := range s.fields {
		f := &s.fields[i]
		if err := d.part(f.plan, v.Field(f.index)); err != nil {
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
