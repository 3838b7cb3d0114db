package body

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

func (m *planner) fillMap(p *plan) {
	key, elem := m.part(p, p.typ.Key(), "[key]"), m.part(p, p.typ.Elem(), "[]")
	p.byKind = true
	p.encode = orNil(func(e *encoder, v reflect.Value) error { return encodeMap(e, v, key, elem) })
	p.decode = func(d *decoder, v reflect.Value) error { return decodeMap(d, v, key, elem) }
}

func encodeMap(e *encoder, v reflect.Value, key, elem *plan) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	n, count := v.Len(), 0
	e.b = mpack.AppendMap(e.b, n)
	for it := v.MapRange(); it.Next(); count++ {
		if err := e.room(2); err != nil {
			return err
		}
		if err := key.encode(e, it.Key()); err != nil {
			return atPath("[key]", err)
		}
		if err := elem.encode(e, it.Value()); err != nil {
			return atPath(keyStep(it.Key()), err)
		}
	}
	if count != n {
		return errors.New("map was changed while it was being sent")
	}
	return nil
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
	v.Set(reflect.MakeMapWithSize(t, int(min(n, firstRoom))))
	if n == 0 {
		return nil
	}
	budget := newMapBudget(key.typ, elem.typ)
	if err := d.spend(budget.first()); err != nil {
		return err
	}
	k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	for i := range n {
		if err := d.spend(budget.next(i)); err != nil {
			return err
		}
		k.SetZero()
		e.SetZero()
		if err := d.value(key, k); err != nil {
			return atPath("[key]", err)
		}
		if !k.Comparable() {
			return fmt.Errorf("type mismatch: %v cannot be a key of %v", k.Type(), t)
		}
		if err := d.value(elem, e); err != nil {
			return atPath(keyStep(k), err)
		}
		v.SetMapIndex(k, e)
	}
	if uint64(v.Len()) != n { // for instance times of one instant, whose offsets did not come along
		return fmt.Errorf("type mismatch: of the keys that came, some are equal in Go type %v", t)
	}
	return nil
}

const (
	mapHeader  = 56  // what a map takes beside its keys and values
	firstRoom  = 8   // pairs that a small map has room for, however few there are
	secondRoom = 32  // pairs that it has room for when it has first grown
	largeEntry = 128 // larger keys and elements are kept outside the map
)

// mapBudget is what the pairs of a map take in memory.
type mapBudget struct {
	inside  uintptr // of a pair, in the map
	outside uintptr // of a pair, kept elsewhere
	scratch uintptr // one pair to decode into
}

func newMapBudget(key, elem reflect.Type) (b mapBudget) {
	for _, t := range []reflect.Type{key, elem} {
		b.scratch += t.Size()
		if t.Size() > largeEntry {
			b.inside += 8
			b.outside += t.Size()
		} else {
			b.inside += t.Size()
		}
	}
	return b
}

// first is what the map takes before there is anything in it.
func (b *mapBudget) first() uintptr { return firstRoom*b.inside + b.scratch }

// next is what pair i takes more, the first being 0.
func (b *mapBudget) next(i uint64) uintptr {
	switch {
	case i == firstRoom: // it grows, and what there was is garbage
		return b.outside + secondRoom*(b.inside+1)
	case i > firstRoom+secondRoom:
		return b.outside + 4*b.inside + 32
	}
	return b.outside
}
