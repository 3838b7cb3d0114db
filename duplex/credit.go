package duplex

import (
	"slices"
	"sync"
	"sync/atomic"
)

// inClass counts the credit of one class of messages coming in.
type inClass struct {
	granted atomic.Int64 // bytes granted to the other side, ever
	owed    atomic.Int64 // bytes taken and not granted again
	used    int64        // bytes arrived, ever; owned by the reader
}

// credits grants the other side a window of each class, and again what has
// been taken of it.
type credits struct {
	classes [numClasses]inClass
	window  int64
}

// owe grants n bytes of class c again, before long. It reports whether now is
// the time: the writer must then be told.
func (cr *credits) owe(c class, n int64) (now bool) {
	owed := cr.classes[c].owed.Add(n)
	// Half a window at a time saves frames. The other side cannot be waiting
	// below that: it has the other half, or has overdrawn and all of it comes back.
	return owed >= cr.threshold() && owed-n < cr.threshold()
}

func (cr *credits) threshold() int64 { return max(cr.window/2, 1) }

// takeOwed returns what is now to be granted of class c.
func (cr *credits) takeOwed(c class) int64 {
	ic := &cr.classes[c]
	if ic.owed.Load() < cr.threshold() {
		return 0
	}
	n := ic.owed.Swap(0)
	ic.granted.Add(n)
	return n
}

// arrive counts a message of cost n in. The reader alone calls it.
func (cr *credits) arrive(c class, n int64) error {
	ic := &cr.classes[c]
	if granted := ic.granted.Load(); ic.used >= granted {
		return protocolErrorf("%v message beyond the credit: %d bytes granted, all used", c, granted)
	}
	ic.used += n
	return nil
}

// inMsg is a long message coming in.
type inMsg struct {
	class   class
	id      uint32
	total   int
	data    []byte // owned by the reader
	granted bool   // guarded by grants.mu
}

// grants says which long messages may send their rest: first come first served
// within a class, and never more at once than the limit, so that what has been
// granted can always be finished and taken.
type grants struct {
	limit int64 // bytes granted and not yet taken, of each class; at least the largest message

	mu      sync.Mutex // guards what follows
	waiting [numClasses][]*inMsg
	taken   [numClasses]int64
}

// add puts m in the queue; release gives back what a message of n bytes of class
// c had been granted. Both return which messages are granted now.
func (g *grants) add(m *inMsg) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[m.class] = append(g.waiting[m.class], m)
	return g.grant(m.class)
}

func (g *grants) release(c class, n int) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken[c] -= rest(n)
	return g.grant(c)
}

// abort takes m, which will not be finished, out.
func (g *grants) abort(m *inMsg) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.granted {
		g.taken[m.class] -= rest(m.total)
	} else {
		list := g.waiting[m.class]
		if i := slices.Index(list, m); i >= 0 {
			g.waiting[m.class] = slices.Delete(list, i, i+1)
		}
	}
	return g.grant(m.class)
}

func (g *grants) grant(c class) (now []*inMsg) {
	for _, m := range g.waiting[c] {
		if g.taken[c]+rest(m.total) > g.limit {
			break
		}
		m.granted = true
		g.taken[c] += rest(m.total)
		now = append(now, m)
	}
	// Delete clears what it removes: the list must not keep the messages' bytes.
	g.waiting[c] = slices.Delete(g.waiting[c], 0, len(now))
	return now
}

func (g *grants) has(m *inMsg) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return m.granted
}
