package body

import "reflect"

// A pointer goes as what it points to, or as nil. At the top of a body, and of what is in an
// interface, pointers go unseen: see target.

func (m *planner) fillPointer(p *plan) {
	elem := m.part(p, p.typ.Elem(), "")
	p.encode = orNil(func(e *encoder, v reflect.Value) error {
		if err := e.enter(); err != nil {
			return err
		}
		defer e.leave()
		v = v.Elem()
		if elem.byKind && v.IsNil() { // as with gob, the pointer is no nil
			v = empty(elem.typ)
		}
		return elem.encode(e, v)
	})
	p.decode = func(d *decoder, v reflect.Value) error {
		if d.skipNil() {
			v.SetZero()
			return nil
		}
		if err := d.enter(); err != nil {
			return err
		}
		defer d.leave()
		if v.IsNil() {
			if err := d.spend(elem.typ.Size()); err != nil {
				return err
			}
			v.Set(reflect.New(elem.typ))
		}
		return elem.decode(d, v.Elem())
	}
}

// empty returns an empty slice or map.
func empty(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Map {
		return reflect.MakeMap(t)
	}
	return reflect.MakeSlice(t, 0, 0)
}

// target returns what v points to in the end, or the last pointer that is nil. The pointers count
// as being around it.
func (e *encoder) target(v reflect.Value) (reflect.Value, error) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		if err := e.enter(); err != nil {
			return v, err
		}
		v = v.Elem()
	}
	return v, nil
}
