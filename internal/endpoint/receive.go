package endpoint

import (
	"fmt"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
)

// The functions of this file are called from the goroutine that reads a link. They must not block,
// so they neither write nor decode.

// receive takes a message from a link on which both directions travel.
func (e *Endpoint) receive(msg []byte, _ bool) (roomFree bool) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
		return true
	case m.Kind == message.Response:
		e.reply(m)
		return true
	}
	return e.request(m)
}

// receiveUrgent takes what is for no queue: a cancel.
func (e *Endpoint) receiveUrgent(msg []byte) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
	case m.IsCancel():
		e.receiveCancel(m)
	default:
		e.endIllegal("message of type %d came in the class of cancels", m.Kind)
	}
}

func (e *Endpoint) receiveCancel(m message.Message) {
	id, err := m.CancelledID()
	if err != nil {
		e.end(err)
		return
	}
	e.served.Cancel(id)
}

// receiveReply takes a message from the link of the calls this side makes.
func (e *Endpoint) receiveReply(msg []byte, _ bool) (roomFree bool) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
	case m.Kind == message.Response:
		e.reply(m)
	default:
		e.endIllegal("message of type %d came where only responses may", m.Kind)
	}
	return true
}

// receiveCall takes a message from the link of the calls this side answers.
func (e *Endpoint) receiveCall(msg []byte, isNotification bool) (roomFree bool) {
	m, ok := e.parse(msg)
	if !ok {
		return true
	}
	if m.Kind == message.Response {
		e.endIllegal("response came where only requests and notifications may")
		return true
	}
	_, bare := e.in.(*link.Bare) // which knows no classes
	ofOtherClass := isNotification != (m.Kind == message.Notification) || m.IsCancel()
	if !bare && ofOtherClass { // its credit would go to another class
		e.endIllegal("message of type %d came in the class of another", m.Kind)
		return true
	}
	return e.request(m)
}

// request takes a request or notification.
func (e *Endpoint) request(m message.Message) (roomFree bool) {
	switch {
	case m.IsCancel():
		e.receiveCancel(m)
		return true
	case m.IsLog() && e.logTaker != nil:
		e.logTaker.Take(m)
		return true
	}
	return e.served.Accept(m)
}

// parse reports false for what is not to be looked at.
func (e *Endpoint) parse(msg []byte) (message.Message, bool) {
	if e.dropping.Load() {
		return message.Message{}, false
	}
	m, err := message.Parse(msg, e.cfg.Message.Body.Depth())
	if err != nil {
		e.end(err)
	}
	return m, err == nil
}

// endIllegal ends the link because of a message that has no place where it came.
func (e *Endpoint) endIllegal(format string, args ...any) {
	e.end(&fault.ProtocolError{Reason: fmt.Sprintf(format, args...)})
}

// reply hands a response to whoever waits for it.
func (e *Endpoint) reply(m message.Message) {
	c := e.pending.take(m.ID, m.Err != nil)
	e.served.LookAgain()
	switch c {
	case nil:
		e.reporter.Warn(message.LateReply, "msgid", m.ID, "bytes", m.Size)
	case &abandoned:
	default:
		c.response = m
		e.pending.count(c, m.Err != nil)
		e.complete(c)
	}
}

// complete tells whoever made c that it has a response or an error.
func (e *Endpoint) complete(c *pendingCall) {
	switch c.kind {
	case callOfCall:
		c.ready <- struct{}{} // has a slot of its own
	case callOfClient:
		if c.hookDone != nil {
			e.served.Run(func() { c.report(e.outcome(c)) })
		}
		c.client.push(c)
	case callOfGo:
		if c.err != nil && c.hookDone == nil {
			e.finishAsync(c, c.err)
		} else { // decoding the reply, and the hook, may take their time
			e.served.Run(func() { e.finishAsync(c, e.result(c, c.async.Reply)) })
		}
	}
}
