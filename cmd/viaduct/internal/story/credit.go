package story

import "time"

// What is known of credit here: see section Frames of docs/PROTOCOL.md.
const (
	maxFrame   = 32 << 10
	maxEager   = 128 << 10
	perMessage = 32
)

// cost is what a message of n bytes takes from the credit of its class.
func cost(n uint64, eager bool) int64 {
	if n > maxFrame && !(eager && n <= maxEager) {
		n = maxFrame
	}
	return int64(n) + perMessage
}

// balance is the credit of one class in one direction.
type balance struct {
	known bool // from the beginning on
	begun bool // some has come
	bytes int64
	empty bool
	since time.Duration // it was empty
}

// take is for a message that takes so much.
func (b *balance) take(n int64, at time.Duration) {
	b.bytes -= n
	if b.known && b.begun && b.bytes <= 0 && !b.empty {
		b.empty, b.since = true, at
	}
}

// give is for credit that comes. It returns for how long there was none.
func (b *balance) give(n int64, at time.Duration) time.Duration {
	b.bytes += n
	b.begun = true
	if !b.empty || b.bytes <= 0 {
		return 0
	}
	b.empty = false
	return at - b.since
}
