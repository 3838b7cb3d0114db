package body

import (
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// decoder reads one body, which has been checked: it is one whole value of
// limited depth. Every method leaves b behind what it has read.
type decoder struct {
	b      []byte
	whole  int  // len(b) where a value stands that must not be of another struct: see decodeMap
	goPeer bool // ext values may have gob in them
	depth  int  // of pointers around the value; the bytes' own depth has been checked
	budget int  // bytes of memory it may still take

	digits    int      // of long texts of numbers so far
	exponents int      // of texts of numbers so far, the large ones
	account   *Account // charged for memory, but for the first
	paid      int      // bytes that it has been charged for, and that were not spent
	plans     planCache
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
	if d.paid -= int(n); d.paid < 0 {
		return d.pay()
	}
	return nil
}

// pay has the account charged for what was spent.
func (d *decoder) pay() error {
	n, err := d.account.take(int64(-d.paid))
	d.paid += int(n)
	return err
}

// spendEach charges n times so many bytes.
func (d *decoder) spendEach(n uint64, size uintptr) error {
	if n > uint64(d.budget)/uint64(max(size, 1)) {
		return d.spend(uintptr(d.budget) + 1)
	}
	return d.spend(uintptr(n) * size)
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxPointers {
		return gobwire.ErrCyclic
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
	if len(d.b) > 0 && d.b[0] == nilByte {
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

// odd are the first bytes of what is not left to plans: of nil, and of maps that may have one pair,
// and so a label.
var odd = [256]bool{nilByte: true, 0x81: true, 0xde: true, 0xdf: true}

// value reads the next value into v, by the plan of its type.
func (d *decoder) value(p *plan, v reflect.Value) error {
	if odd[d.b[0]] && d.b[0] != nilByte && !p.labelled {
		return d.behindLabel(p, v)
	}
	return p.decode(d, v)
}

// part is value of a field, whose type may have no nil: then a nil of a Go program leaves it as it
// is, since package gob sends nothing for a nil pointer.
func (d *decoder) part(p *plan, v reflect.Value) error {
	if odd[d.b[0]] {
		return d.oddPart(p, v)
	}
	return p.decode(d, v)
}

func (d *decoder) oddPart(p *plan, v reflect.Value) error {
	if d.b[0] == nilByte && d.goPeer && !p.nilable {
		d.b = d.b[1:]
		return nil
	}
	return d.value(p, v)
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

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decodeValue decodes b, one checked value, into what dst points to.
func decodeValue(b []byte, dst reflect.Value, c *Codec, account *Account) (err error) {
	d := decoders.Get().(*decoder)
	d.b, d.whole, d.goPeer, d.budget = b, len(b), c.goPeer(), memoryBudget(len(b))
	d.account, d.paid = account, math.MaxInt
	if account.charged() {
		d.paid = freeBytes
	}
	defer func() {
		if r := recover(); r != nil { // a type's own methods may panic
			err = fmt.Errorf("panic while decoding into *%v: %v", dst.Type(), r)
		}
		*d = decoder{plans: d.plans}
		decoders.Put(d)
	}()
	dst = dst.Elem()
	return d.value(d.plans.planOf(dst.Type()), dst)
}

func memoryBudget(n int) int {
	if n > (math.MaxInt-memoryBase)/memoryFactor {
		return math.MaxInt
	}
	return memoryFactor*n + memoryBase
}
