package duplex

import (
	"slices"
	"sync"
	"sync/atomic"
)

// credits grants the other side a window of each class, and again what has been taken of it.
type credits struct {
	classes [numClasses]inClass
	window  int64
}

// inClass counts the credit of one class of messages coming in.
type inClass struct {
	granted atomic.Int64 // bytes granted to the other side, ever
	owed    atomic.Int64 // bytes taken and not granted again
	used    int64        // bytes arrived, ever; owned by the reader
}

func (cr *credits) init(window int64) {
	cr.window = window
	for i := range cr.classes {
		cr.classes[i].owed.Store(window)
	}
}

// owe grants n bytes of class c again, before long. It reports whether now is the time: the writer
// must then be told.
func (cr *credits) owe(c class, n int64) (now bool) {
	owed := cr.classes[c].owed.Add(n)
	// Half a window at a time saves frames. The other side cannot be waiting below that: it has the
	// other half, or has overdrawn and all of it comes back.
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

// grants says which long messages may send their rest: first come first served within a class, and
// never more at once than the limit, so that what has been granted can always be finished and
// taken.
type grants struct {
	limit  int64 // bytes granted and not yet taken, of each class; at least the largest message
	sizing sizing

	mu      sync.Mutex // guards what follows
	waiting [numClasses][]*inMsg
	taken   [numClasses]int64
}

// add puts m in the queue. It returns which messages are granted now.
func (g *grants) add(m *inMsg) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[m.class] = append(g.waiting[m.class], m)
	return g.grant(m.class)
}

// release gives back what a message of n bytes of class c had been granted. It returns which
// messages are granted now.
func (g *grants) release(c class, n int) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken[c] -= g.sizing.rest(n)
	return g.grant(c)
}

// abort takes m, which will not be finished, out. It returns which messages are granted now.
func (g *grants) abort(m *inMsg) []*inMsg {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.granted {
		g.taken[m.class] -= g.sizing.rest(m.total)
	} else {
		g.waiting[m.class] = remove(g.waiting[m.class], m)
	}
	return g.grant(m.class)
}

// grant grants the messages of class c that may send now. mu is held.
func (g *grants) grant(c class) (now []*inMsg) {
	for _, m := range g.waiting[c] {
		if g.taken[c]+g.sizing.rest(m.total) > g.limit {
			break
		}
		m.granted = true
		g.taken[c] += g.sizing.rest(m.total)
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

// route says where messages of a class that come in go, and what they count as: see work.
type route struct {
	lane   *Lane
	begins *atomic.Int64 // one more when a message has come; nil if it begins nothing
	ends   *atomic.Int64 // one less when it has been delivered; nil if it ends nothing
	taken  *atomic.Int64 // one less when it takes no room any more; nil if that ends nothing
}

func (c *Conn) initRoutes() {
	k := &c.work
	c.routes = [numClasses]route{
		call:         {lane: c.server, begins: &k.served},
		reply:        {lane: c.client, ends: &k.calls},
		notification: {lane: c.server, begins: &k.notifications, taken: &k.notifications},
	}
}

// deliver hands a message to its lane. The reader calls it.
func (c *Conn) deliver(cl class, msg []byte) {
	rt := &c.routes[cl]
	if rt.begins != nil {
		rt.begins.Add(1)
	}
	rt.lane.deliver(inbound{cl, msg})
	if rt.ends != nil {
		rt.ends.Add(-1) // behind deliver: Shutdown may close the link once there are none
	}
	c.arrived()
}

// arrived counts a message that has come, or will never: it was aborted.
func (c *Conn) arrived() {
	c.work.received.Add(1)
	if c.work.draining.Load() {
		c.writer.update(func() { c.writer.end.farewell.heard = false })
	}
}

// taken says that a message of n bytes of class cl takes no room here any more: the other side may
// send as much again.
func (c *Conn) taken(cl class, n int) {
	if c.sizing.needsGrant(n) {
		c.grant(c.grants.release(cl, n))
	}
	c.owe(cl, c.sizing.cost(n))
	if rt := &c.routes[cl]; rt.taken != nil {
		rt.taken.Add(-1)
		c.settle()
	}
}

func (c *Conn) owe(cl class, n int64) {
	if c.credits.owe(cl, n) {
		c.writer.update(func() { c.writer.owed.credit = true })
	}
}

// grant lets the other side send the rest of the messages in list.
func (c *Conn) grant(list []*inMsg) {
	if len(list) == 0 {
		return
	}
	w := &c.writer
	w.update(func() {
		for _, m := range list {
			w.owed.addFrame(kindGrant+kind(m.class), m.id)
		}
	})
}

// peerTakes is called by the reader when the other side has granted n bytes of class cl.
func (c *Conn) peerTakes(cl class, n int64) (err error) {
	c.noteReady(cl)
	c.writer.update(func() { err = c.writer.queues.addCredit(cl, n) })
	return err
}

// noteReady closes ready once credit has come for all classes. The reader calls it.
func (c *Conn) noteReady(cl class) {
	if c.credited[cl] {
		return
	}
	c.credited[cl] = true
	if c.credited == [numClasses]bool{true, true, true} {
		close(c.ready)
	}
}
