package body

import (
	"errors"
	"sync/atomic"
)

// Memory bounds what the arguments that are held at one time may take when they are decoded. One
// message is bounded by its size, see memoryFactor, but many small ones are held at once.
type Memory struct {
	Limit int64
	used  atomic.Int64
}

// ErrMemory says that others have taken what there is of a Memory.
var ErrMemory = errors.New("no memory is left for what it would take when it is decoded")

// freeBytes are not charged: most bodies take no more, and cost nothing so.
const freeBytes = 4 << 10

// Account is what one message has taken of a Memory. It is for one goroutine at a time. A nil
// *Account, and one without a Memory, are not charged.
type Account struct {
	Of    *Memory
	taken int64
}

func (a *Account) charged() bool { return a != nil && a.Of != nil }

// take takes at least n bytes, and returns how many. What was taken first may be all there is, and
// more: a message that is alone is bounded by its own size.
func (a *Account) take(n int64) (taken int64, err error) {
	for _, n := range []int64{max(n, a.taken/4, freeBytes), n} {
		used := a.Of.used.Add(n)
		if others := used - n - a.taken; used <= a.Of.Limit || others == 0 {
			a.taken += n
			return n, nil
		}
		a.Of.used.Add(-n)
	}
	return 0, ErrMemory
}

// Taken is what has not been given back.
func (a *Account) Taken() int64 { return a.taken }

// Free gives back what was taken.
func (a *Account) Free() {
	if a.taken > 0 {
		a.Of.used.Add(-a.taken)
		a.taken = 0
	}
}
