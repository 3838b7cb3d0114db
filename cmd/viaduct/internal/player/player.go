package player

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/story"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Player plays a Script on a link.
type Player struct {
	Script *Script
	Conn   *duplex.Conn
	Wait   time.Duration // for an answer, or a callback, that was recorded

	// Differs is called with what is not as it was recorded. was and is are nil where there is nothing
	// to show.
	Differs func(call *story.Call, text string, was, is *message.Message)
	// Compares says of which calls the answers are compared.
	Compares func(call *story.Call) bool

	Same, Different int // answers; set by Play

	ids       map[*story.Call]uint32 // of the calls that were made
	callbacks map[*story.Call]uint32 // the ids that they have now
	taken     map[string]int         // callbacks of a method that the script has come to

	mu      sync.Mutex // guards what follows
	answers map[uint32]message.Message
	came    map[string][]uint32 // callbacks of a method, in their order
	ended   error
	changed chan struct{} // closed when one of these has changed
}

// ErrEnded says that the link has ended before the script has.
var ErrEnded = errors.New("the link has ended")

// Play plays the script to its end. Its error is that of ctx, or an ErrEnded.
func (p *Player) Play(ctx context.Context) error {
	p.ids, p.callbacks, p.taken = make(map[*story.Call]uint32), make(map[*story.Call]uint32), make(map[string]int)
	p.answers, p.came, p.changed = make(map[uint32]message.Message), make(map[string][]uint32), make(chan struct{})
	p.Conn.ClientLane().Receive(func(msg []byte, _ bool) bool { p.takeAnswer(msg); return true }, func([]byte) {}, p.end)
	p.Conn.ServerLane().Receive(func(msg []byte, isNotification bool) bool { p.takeCallback(msg, isNotification); return true }, func([]byte) {}, func(error) {})
	for i := range p.Script.steps {
		if err := p.step(ctx, &p.Script.steps[i]); err != nil {
			return err
		}
	}
	p.others()
	return nil
}

func (p *Player) step(ctx context.Context, x *step) error {
	client := p.Conn.ClientLane()
	switch x.kind {
	case sayCall:
		id := uint32(len(p.ids))
		p.ids[x.call] = id
		b := p.params(x, message.AppendRequest(nil, string(x.message.Method)))
		message.SetID(b, id)
		return p.sent(ctx, client.Send(ctx, b, false))
	case sayNotification:
		return p.sent(ctx, client.Send(ctx, p.params(x, message.AppendNotification(nil, string(x.message.Method))), true))
	case sayCancel:
		if id, ok := p.ids[x.call]; ok {
			return p.sent(ctx, client.SendUrgent(message.AppendCancel(nil, id)))
		}
	case sayAnswer:
		if id, ok := p.callbacks[x.call]; ok {
			return p.sent(ctx, p.Conn.ServerLane().Send(ctx, reply(id, x.message.Err, x.message.Body), false))
		}
	case awaitAnswer:
		return p.awaitAnswer(ctx, x)
	case awaitCallback:
		return p.awaitCallback(ctx, x)
	}
	return nil
}

// params appends what was said with a call or a notification, as it is, and what goes with it: but for
// a deadline, as times are others.
func (p *Player) params(x *step, b []byte) []byte {
	b = append(b, x.message.Body...)
	info := message.InfoOf(&x.message)
	if info == nil {
		return b
	}
	var again message.Info
	again.Metadata, _ = info.Metadata()
	again.Within, again.Nested = p.callbacks[x.within]
	return again.Append(b)
}

// reply is a response. err is nil if there was none.
func reply(id uint32, err, result []byte) []byte {
	b := mpack.AppendUint(mpack.AppendArray(nil, 4), message.Response)
	b = mpack.AppendUint(b, uint64(id))
	if err == nil {
		return append(mpack.AppendNil(b), result...)
	}
	return append(append(b, err...), result...)
}

func (p *Player) sent(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrEnded, err)
}

// awaitAnswer waits for an answer, and compares it.
func (p *Player) awaitAnswer(ctx context.Context, x *step) error {
	id, ok := p.ids[x.call]
	if !ok {
		return nil
	}
	var is message.Message
	err := p.await(ctx, func() bool {
		is, ok = p.answers[id]
		delete(p.answers, id)
		return ok
	})
	compares := !x.call.Cancelled && p.Compares(x.call)
	switch {
	case err == errLate:
		p.Different++
		p.Differs(x.call, fmt.Sprintf("was answered, and now is not within %v", p.Wait), &x.message, nil)
		return nil
	case err != nil:
		return fmt.Errorf("before the answer to the call of %s came: %w", x.call.Method, err)
	case !compares:
		return nil // when it was cancelled decides
	}
	if sameAnswer(&x.message, &is) {
		p.Same++
		return nil
	}
	p.Different++
	p.Differs(x.call, "is answered otherwise", &x.message, &is)
	return nil
}

// awaitCallback waits for the next callback of a method.
func (p *Player) awaitCallback(ctx context.Context, x *step) error {
	method := x.call.Method
	n := p.taken[method]
	p.taken[method]++
	err := p.await(ctx, func() bool {
		if n >= len(p.came[method]) {
			return false
		}
		p.callbacks[x.call] = p.came[method][n]
		return true
	})
	if err == errLate {
		p.Different++
		p.Differs(x.call, fmt.Sprintf("was called back, and now is not within %v", p.Wait), nil, nil)
		return nil
	}
	if err != nil {
		return fmt.Errorf("before the callback of %s came: %w", method, err)
	}
	return nil
}

// others reports callbacks that are not in the record. They have no answer.
func (p *Player) others() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for method, came := range p.came {
		if n := len(came) - p.taken[method]; n > 0 {
			p.Different++
			p.Differs(&story.Call{Method: method}, fmt.Sprintf("is called back %d times more than was recorded", n), nil, nil)
		}
	}
}

// errLate says that something has not come in time.
var errLate = errors.New("late")

// await waits until there is what is asked for.
func (p *Player) await(ctx context.Context, is func() bool) error {
	late := time.NewTimer(p.Wait)
	defer late.Stop()
	for {
		p.mu.Lock()
		there, ended, changed := is(), p.ended, p.changed
		p.mu.Unlock()
		switch {
		case there:
			return nil
		case ended != nil:
			return fmt.Errorf("%w: %w", ErrEnded, ended)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return errLate
		}
	}
}

// The functions below are called by the reader of the link.

// change changes what mu guards.
func (p *Player) change(f func()) {
	p.mu.Lock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
}

func (p *Player) takeAnswer(msg []byte) {
	m, err := message.Parse(msg, maxDepth)
	if err != nil || m.Kind != message.Response {
		p.Conn.ClientLane().Fail(fmt.Errorf("what came as a reply is none (%d bytes)", len(msg)))
		return
	}
	p.change(func() { p.answers[m.ID] = m })
}

func (p *Player) takeCallback(msg []byte, isNotification bool) {
	if isNotification {
		return
	}
	m, err := message.Parse(msg, maxDepth)
	if err != nil || m.Kind != message.Request {
		p.Conn.ClientLane().Fail(fmt.Errorf("what came as a call is none (%d bytes)", len(msg)))
		return
	}
	p.change(func() { p.came[string(m.Method)] = append(p.came[string(m.Method)], m.ID) })
}

func (p *Player) end(err error) { p.change(func() { p.ended = err }) }
