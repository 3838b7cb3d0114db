package rpctest

import (
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// capacity is how many bytes wait in a direction before a write does, as in a pipe.
const capacity = 64 << 10

// rateSteps is how many pieces a second what a Rate slows down comes in.
const rateSteps = 50

// direction carries the bytes of one direction of a Link.
type direction struct {
	link *Link

	mu      sync.Mutex
	changed sync.Cond                   // of anything below; uses mu
	random  [len(faultNames)]*rand.Rand // for each kind, so that one does not change what another draws
	faults  []Fault                     // those at a point that are still to come
	slow    slowness
	units   *units // finds frames, if any fault wants them
	hello   *units // finds the hello otherwise; nil when it has
	written int64  // bytes that came out of the faults at frames
	queue   []piece
	size    int       // of what is in queue
	latest  time.Time // when the last piece of queue arrives
	stalled bool
	ended   bool // nothing more is taken; what is in queue arrives
	gone    bool // nobody reads any more
	timer   *time.Timer
	cutting bool // a fault has cut the link, and the other direction does not know
	happens func(Fault)
}

// slowness is what faults do to every byte.
type slowness struct {
	least, most time.Duration
	rate, split int
}

// piece is what arrives at once.
type piece struct {
	data []byte
	at   time.Time
}

func newDirection(link *Link, faults []Fault, seed, stream uint64, happens func(Fault), both *hellos) *direction {
	d := &direction{link: link, happens: happens, hello: newUnits(both)}
	d.changed.L = &d.mu
	for kind := range d.random {
		d.random[kind] = rand.New(rand.NewPCG(seed, stream<<8|uint64(kind)))
	}
	for _, f := range faults {
		f.check()
		switch f.kind {
		case delay:
			d.slow.least, d.slow.most = f.least, f.most
		case rate:
			d.slow.rate = f.n
		case split:
			d.slow.split = f.n
		default:
			d.faults = append(d.faults, f)
			if f.at.frame && d.units == nil {
				d.units = newUnits(both)
			}
		}
	}
	return d
}

func (d *direction) write(p []byte) (int, error) {
	d.mu.Lock()
	n, err := d.writeLocked(p)
	cutting := d.cutting
	d.cutting = false
	d.mu.Unlock()
	if cutting {
		d.link.Cut() // takes the locks of both directions
	}
	return n, err
}

func (d *direction) writeLocked(p []byte) (int, error) {
	for n := 0; n < len(p); {
		for d.size >= capacity && !d.ended && !d.gone {
			d.changed.Wait()
		}
		if d.ended || d.gone {
			return n, io.ErrClosedPipe
		}
		part := p[n:min(len(p), n+capacity-d.size)]
		n += len(part)
		if d.units == nil {
			d.listenLocked(part)
			d.takeLocked(part)
			continue
		}
		d.units.add(part)
		for unit := d.units.next(); unit != nil && !d.ended; unit = d.units.next() {
			d.takeUnitLocked(d.units.count-1, unit)
		}
	}
	return len(p), nil
}

// listenLocked is told of what no fault wants in frames: those of the other direction may depend on
// the hello in it.
func (d *direction) listenLocked(p []byte) {
	if d.hello == nil {
		return
	}
	if d.hello.add(p); d.hello.next() != nil {
		d.hello = nil
	}
}

// takeUnitLocked takes the frame with number n.
func (d *direction) takeUnitLocked(n int64, unit []byte) {
	times := 1
	for _, f := range d.dueLocked(func(at Point) bool { return at.frame && at.n == n }) {
		switch f.kind {
		case cut:
			d.cutLocked()
			return
		case stall:
			d.stalled = true
		case drop:
			times = 0
		case duplicate:
			times *= 2
		case corrupt:
			r := d.random[corrupt]
			unit[r.IntN(len(unit))] ^= 1 << r.IntN(8)
		}
	}
	for range times {
		d.takeLocked(unit)
	}
}

// takeLocked takes bytes behind all that happens to frames.
func (d *direction) takeLocked(p []byte) {
	var out []byte
	for len(p) > 0 && !d.ended {
		// Up to the next byte to which something happens.
		n := int64(len(p))
		for _, f := range d.faults {
			if ahead := f.at.n - d.written; !f.at.frame && ahead >= 0 {
				n = min(n, ahead)
			}
		}
		out = append(out, p[:n]...)
		d.written += n
		if p = p[n:]; len(p) == 0 {
			break
		}
		times, b := 1, p[0]
		for _, f := range d.dueLocked(func(at Point) bool { return !at.frame && at.n == d.written }) {
			switch f.kind {
			case cut:
				d.putLocked(out)
				d.cutLocked()
				return
			case stall:
				d.putLocked(out)
				out, d.stalled = nil, true
			case drop:
				times = 0
			case duplicate:
				times *= 2
			case corrupt:
				b ^= 1 << d.random[corrupt].IntN(8)
			}
		}
		for range times {
			out = append(out, b)
		}
		p = p[1:]
		d.written++
	}
	d.putLocked(out)
}

// dueLocked takes out the faults that are due, and tells of them.
func (d *direction) dueLocked(due func(Point) bool) []Fault {
	var now, later []Fault
	for _, f := range d.faults {
		if due(f.at) {
			now = append(now, f)
			d.happens(f)
		} else {
			later = append(later, f)
		}
	}
	d.faults = later
	return now
}

// putLocked queues what is to arrive.
func (d *direction) putLocked(p []byte) {
	at := time.Now().Add(d.slow.least)
	if spread := d.slow.most - d.slow.least; spread > 0 {
		at = at.Add(time.Duration(d.random[delay].Int64N(int64(spread) + 1)))
	}
	if at.Before(d.latest) {
		at = d.latest
	}
	for len(p) > 0 {
		n := len(p)
		if d.slow.rate > 0 {
			n = min(n, max(1, d.slow.rate/rateSteps))
			at = at.Add(time.Duration(n) * time.Second / time.Duration(d.slow.rate))
		}
		d.queue = append(d.queue, piece{append([]byte(nil), p[:n]...), at})
		d.size += n
		d.latest = at
		p = p[n:]
	}
	d.changed.Broadcast()
}

func (d *direction) read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.arrivedLocked() {
		if d.gone {
			return 0, io.ErrClosedPipe
		}
		if d.ended && len(d.queue) == 0 {
			return 0, io.EOF
		}
		d.changed.Wait()
	}
	if d.gone {
		return 0, io.ErrClosedPipe
	}
	if len(p) == 0 {
		return 0, nil
	}
	if d.slow.split > 0 {
		p = p[:min(len(p), 1+d.random[split].IntN(d.slow.split))]
	}
	n := 0
	for n < len(p) && d.arrivedLocked() {
		first := &d.queue[0]
		m := copy(p[n:], first.data)
		n += m
		if first.data = first.data[m:]; len(first.data) == 0 {
			d.queue = d.queue[1:]
		}
	}
	d.size -= n
	d.changed.Broadcast()
	return n, nil
}

// arrivedLocked reports whether there is something to read. If there will be, it has the reader
// woken then.
func (d *direction) arrivedLocked() bool {
	if len(d.queue) == 0 || d.stalled {
		return false
	}
	wait := time.Until(d.queue[0].at)
	if wait <= 0 {
		return true
	}
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.changed.Broadcast()
		})
	} else {
		d.timer.Reset(wait)
	}
	return false
}

// cutLocked ends the link.
func (d *direction) cutLocked() {
	d.ended, d.stalled, d.cutting = true, false, true
	d.changed.Broadcast()
}

// end takes nothing more. What has been taken arrives, unless nobody reads it.
func (d *direction) end() {
	d.set(func() {
		if d.units != nil && !d.ended {
			d.takeLocked(d.units.rest())
		}
		d.ended = true
	})
}

// leave says that nobody reads any more.
func (d *direction) leave() {
	d.set(func() {
		d.gone = true
		d.queue, d.size = nil, 0
		if d.timer != nil {
			d.timer.Stop()
		}
	})
}

// set changes d by f and tells everybody who waits.
func (d *direction) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	d.changed.Broadcast()
}
