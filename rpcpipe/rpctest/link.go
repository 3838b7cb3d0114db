package rpctest

import (
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// LinkOptions say what a [Link] does. Nil: it carries everything, at once.
type LinkOptions struct {
	// Seed decides what is left to chance. The same seed does the same to the same bytes.
	Seed uint64

	// AToB and BToA are what happens to what A says to B, and B to A. Of Delay, Rate and Split the
	// last of each kind counts. Several faults at one point all happen.
	AToB, BToA []Fault
}

// A Link is a connection in memory. A direction takes 64 KiB before a write waits, as a pipe does.
// What one end has written when it is closed arrives; what the other writes then fails.
type Link struct {
	A, B io.ReadWriteCloser // its ends

	toB, toA *direction

	mu       sync.Mutex
	happened []string
}

// NewLink returns a new Link. It panics if a Fault has no meaning, such as a negative rate.
func NewLink(opts *LinkOptions) *Link {
	if opts == nil {
		opts = new(LinkOptions)
	}
	l := new(Link)
	both := new(hellos)
	l.toB = newDirection(l, opts.AToB, opts.Seed, 0, l.note("A to B"), both)
	l.toA = newDirection(l, opts.BToA, opts.Seed, 1, l.note("B to A"), both)
	l.A, l.B = &end{in: l.toA, out: l.toB}, &end{in: l.toB, out: l.toA}
	return l
}

func (l *Link) note(direction string) func(Fault) {
	return func(f Fault) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.happened = append(l.happened, direction+": "+f.String())
	}
}

// Happened lists the faults at a point that have happened, as "A to B: cut at byte 100". A test
// should look whether what it is about has.
func (l *Link) Happened() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.happened)
}

// Cut ends the link now, as the death of both processes would: what was written arrives, then the
// end of file. Writes fail with io.ErrClosedPipe.
func (l *Link) Cut() {
	for _, d := range []*direction{l.toA, l.toB} {
		d.set(func() { d.ended, d.stalled = true, false })
	}
}

// Stall has nothing more arrive, in either direction, until Resume.
func (l *Link) Stall() { l.setStalled(true) }

// Resume ends Stall, and the faults of that name that have happened.
func (l *Link) Resume() { l.setStalled(false) }

func (l *Link) setStalled(stalled bool) {
	for _, d := range []*direction{l.toA, l.toB} {
		d.set(func() { d.stalled = stalled && !d.ended })
	}
}

// end is one end of a Link.
type end struct{ in, out *direction }

func (e *end) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

// Close ends both directions. What was written arrives.
func (e *end) Close() error {
	e.out.end()
	e.in.leave()
	return nil
}

// Pair returns two Peers that are connected by link, a on its end A. It fails the test if they do
// not connect: to see how, call [rpcpipe.New] for each end. At the end of the test it closes both
// and waits for them.
func Pair(tb testing.TB, link *Link, a, b *rpcpipe.Options) (*rpcpipe.Peer, *rpcpipe.Peer) {
	tb.Helper()
	type result struct {
		peer *rpcpipe.Peer
		err  error
	}
	other := make(chan result, 1)
	go func() {
		p, err := rpcpipe.New(tb.Context(), link.B, b)
		other <- result{p, err}
	}()
	one, err := rpcpipe.New(tb.Context(), link.A, a)
	two := <-other
	tb.Cleanup(func() {
		for _, p := range []*rpcpipe.Peer{one, two.peer} {
			if p != nil {
				p.Close()
				p.Wait()
			}
		}
	})
	if err != nil || two.err != nil {
		tb.Fatalf("rpctest: the two sides do not connect: A: %v; B: %v; what the link has done: %v", err, two.err, link.Happened())
	}
	return one, two.peer
}
