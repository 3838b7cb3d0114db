package body

import "reflect"

// A pointer goes as what it points to, or as nil.

func (m *planner) fillPointer(p *plan) {
	elem := m.part(p, p.typ.Elem(), "")
	p.encode = orNil(func(e *encoder, v reflect.Value) error {
		if err := e.enter(); err != nil {
			return err
		}
		defer e.leave()
		return elem.encode(e, v.Elem())
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
