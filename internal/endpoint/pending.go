package endpoint

import (
	"cmp"
	"context"
	"errors"
	"net/rpc"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/tally"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

// PendingCall is a call that waits for its reply.
type PendingCall struct {
	Method string
	For    time.Duration // how long it has been waiting
}

// Pending returns the calls that wait for a reply, the oldest first; when the link has ended, those
// that were waiting then.
func (e *Endpoint) Pending() []PendingCall { return e.pending.list() }

// CallStats count the calls of this side: see rpcpipe.CallStats.
type CallStats struct {
	Calls         uint64
	Failed        uint64
	Cancelled     uint64
	Notifications uint64
	Pending       int
}

// kind says who waits for the reply to a call.
type kind uint8

const (
	callOfCall    kind = iota // a goroutine, at ready
	callOfGo                  // a channel: see async
	callOfClient              // a standard client: see client and seq
	abandonedCall             // nobody any more
)

// pendingCall is a call that waits for its reply. Who removes it from pendingCalls fills in
// response or err and completes it.
type pendingCall struct {
	kind     kind
	method   string
	since    time.Duration          // by tally.Now; from add on
	hookDone func(serve.CallResult) // of a hook; otherwise nil
	size     int                    // of the request
	ready    chan struct{}          // callOfCall: one slot
	async    *rpc.Call              // callOfGo
	client   *clientCodec           // callOfClient
	seq      uint64                 // its number there
	response message.Message
	err      error // why there is no response

	// sending says who completes a call that the link's end has failed: while it is being sent, who
	// sends it, who alone knows the ticket then.
	sending atomic.Uint32
	ticket  uint64 // of what was sent, see link.Link; set before sending is sent
}

const (
	beingSent uint32 = iota
	sent
	failedWhileSent
)

// sentBefore notes that c has been sent. It reports false if the link's end came before.
func (c *pendingCall) sentBefore(ticket uint64) bool {
	c.ticket = ticket
	return c.sending.CompareAndSwap(beingSent, sent)
}

// failBeforeSent notes that the link has ended. It reports false if c is just being sent, and who sends
// it completes it.
func (c *pendingCall) failBeforeSent() bool {
	return !c.sending.CompareAndSwap(beingSent, failedWhileSent)
}

// report tells the hook how c has ended.
func (c *pendingCall) report(err error) {
	if c.hookDone != nil {
		c.hookDone(serve.CallResult{Err: err, Request: c.size, Reply: c.response.Size})
	}
}

// abandoned stands for all calls whose answer nobody waits for.
var abandoned = pendingCall{kind: abandonedCall}

// maxAbandoned is how many calls the other side may leave unanswered that were given up: each keeps
// a msgid in use. Beyond, no more are sent. Tests change it.
var maxAbandoned = 1 << 16

// errAbandoned says that as many calls have been abandoned as may be.
var errAbandoned = errors.New("viaduct: the other side does not answer calls that were given up")

// pendingCalls is the table of calls that wait for a reply.
type pendingCalls struct {
	// Not shared by all endpoints: a channel made in a bubble of testing/synctest must not be used
	// outside.
	free  sync.Pool // of *pendingCall
	tally tally.Table

	mu        sync.Mutex // guards what follows
	calls     map[uint32]*pendingCall
	abandoned int           // how many of calls are &abandoned
	next      uint32        // msgid to try next; one in use is skipped
	err       error         // set when no reply can come any more
	last      []PendingCall // what was in calls then
	stats     CallStats     // but for Pending
	changed   chan struct{} // one slot: told when calls shrinks, once watchIdle was called
	fewer     chan struct{} // made by who waits for abandoned to shrink, and closed then
}

// get returns a call with a channel to wait at.
func (p *pendingCalls) get() *pendingCall {
	if c, ok := p.free.Get().(*pendingCall); ok {
		return c
	}
	return &pendingCall{ready: make(chan struct{}, 1)}
}

// put gives back a call that has completed or has never started.
func (p *pendingCalls) put(c *pendingCall) {
	if !tuning.Reuse {
		return
	}
	ready := c.ready
	*c = pendingCall{}
	c.ready = ready
	p.free.Put(c)
}

func (p *pendingCalls) current() CallStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Pending = p.waitingLocked()
	return s
}

// Pending is how many calls wait for their reply.
func (p *pendingCalls) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waitingLocked()
}

// waitingLocked is how many calls somebody waits for.
func (p *pendingCalls) waitingLocked() int { return len(p.calls) - p.abandoned }

// watchIdle returns a channel of one slot that is told each time a call has ended.
func (p *pendingCalls) watchIdle() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{}, 1)
	}
	return p.changed
}

func (p *pendingCalls) tellChanged() {
	if p.changed != nil {
		link.Signal(p.changed)
	}
}

// idle reports whether no call waits for its reply, nor has lost it with the link.
func (p *pendingCalls) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waitingLocked() == 0 && len(p.last) == 0
}

// Has reports whether a call with this id waits for its reply.
func (p *pendingCalls) Has(id uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[id]
	return c != nil && c != &abandoned
}

// enter gives c a msgid and enters it into the table. While the other side owes answers to too many
// calls that were given up, it waits, until ctx or the link ends.
func (e *Endpoint) enter(ctx context.Context, c *pendingCall) (id uint32, err error) {
	for {
		if err := e.mayBegin(ctx); err != nil { // each time: a shutdown may have begun meanwhile
			return 0, err
		}
		if id, err = e.pending.add(c); err != errAbandoned {
			return id, err
		}
		waiting := e.sending("call", c.method).Begin(func() string { return "answers to calls that were given up" })
		err = e.pending.awaitFewer(ctx)
		waiting.Over()
		if err != nil {
			return 0, err
		}
	}
}

// awaitFewer waits until not too many calls are abandoned, or no reply can come any more. Its error
// is ctx.Err().
func (p *pendingCalls) awaitFewer(ctx context.Context) error {
	p.mu.Lock()
	if p.abandoned < maxAbandoned {
		p.mu.Unlock()
		return nil
	}
	if p.fewer == nil {
		p.fewer = make(chan struct{})
	}
	fewer := p.fewer
	p.mu.Unlock()
	select {
	case <-fewer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answeredLocked counts n abandoned calls less.
func (p *pendingCalls) answeredLocked(n int) {
	p.abandoned -= n
	if p.fewer != nil && p.abandoned < maxAbandoned {
		close(p.fewer)
		p.fewer = nil
	}
}

// add enters c into the table. Its error is err, errAbandoned or message.ErrNoID.
func (p *pendingCalls) add(c *pendingCall) (id uint32, err error) {
	c.since = tally.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	if p.abandoned >= maxAbandoned {
		return 0, errAbandoned
	}
	if uint64(len(p.calls)) > message.MaxID {
		return 0, message.ErrNoID
	}
	for p.calls[p.next] != nil {
		p.next++
	}
	id = p.next
	p.next++
	p.calls[id] = c
	p.stats.Calls++
	return id, nil
}

// take removes and returns the call that waits for a reply with this id, nil if there is none,
// &abandoned if it has been abandoned.
func (p *pendingCalls) take(id uint32, failed bool) *pendingCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[id]
	delete(p.calls, id)
	switch {
	case c == &abandoned:
		p.answeredLocked(1)
	case c != nil && failed:
		p.stats.Failed++
	}
	p.tellChanged()
	return c
}

// remove takes c back, which has not been sent, perhaps because it was given up. It reports false
// if somebody else completes it.
func (p *pendingCalls) remove(id uint32, c *pendingCall, givenUp bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.calls[id] {
	case c:
		p.count(c, true)
		if givenUp {
			p.stats.Cancelled++
		}
	case &abandoned:
		p.answeredLocked(1)
	default:
		return false
	}
	delete(p.calls, id)
	p.tellChanged()
	return true
}

// abandon is remove of a call that has been sent. Its msgid stays in use until the answer comes, or
// that might be taken for another call's.
func (p *pendingCalls) abandon(id uint32, c *pendingCall) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[id] != c {
		return false
	}
	p.abandonLocked(id)
	return true
}

func (p *pendingCalls) abandonLocked(id uint32) {
	p.count(p.calls[id], true)
	p.calls[id] = &abandoned
	p.abandoned++
	p.stats.Cancelled++
	p.tellChanged()
}

// NextID is the msgid from which the next call's is looked for.
func (p *pendingCalls) NextID() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Between reports whether a call waits for its reply, be it abandoned, whose msgid was given out
// between two moments: when next was from, and when it was to.
func (p *pendingCalls) Between(from, to uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.calls {
		if id-from < to-from {
			return true
		}
	}
	return false
}

// abandonOf abandons the calls of a standard client that has been closed.
func (p *pendingCalls) abandonOf(client *clientCodec) (ids []uint32, calls []*pendingCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, c := range p.calls {
		if c.client == client {
			p.abandonLocked(id)
			ids = append(ids, id)
			calls = append(calls, c)
		}
	}
	return ids, calls
}

// fail empties the table for good and returns what was in it, failed.
func (p *pendingCalls) fail(err error) []*pendingCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.last = p.listLocked()
	failed := make([]*pendingCall, 0, len(p.calls))
	for _, c := range p.calls {
		if c != &abandoned {
			c.err = err
			p.count(c, true)
			failed = append(failed, c)
		}
	}
	clear(p.calls)
	p.answeredLocked(p.abandoned)
	return failed
}

func (p *pendingCalls) list() []PendingCall {
	p.mu.Lock()
	list := p.last
	if p.err == nil {
		list = p.listLocked()
	} else {
		list = slices.Clone(list)
	}
	p.mu.Unlock()
	// Not under the lock, which the reader takes.
	slices.SortFunc(list, func(a, b PendingCall) int { return cmp.Compare(b.For, a.For) })
	return list
}

// listLocked returns them in no order.
func (p *pendingCalls) listLocked() []PendingCall {
	now := tally.Now()
	var list []PendingCall
	for _, c := range p.calls {
		if c != &abandoned {
			list = append(list, PendingCall{c.method, now - c.since})
		}
	}
	return list
}
