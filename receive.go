package viaduct

import "fmt"

// The functions of this file are called from the goroutine that reads a link.
// They must not block, so they neither write nor decode.

// receive takes a message from a connection on which both directions travel.
func (e *Endpoint) receive(msg []byte, _ bool) (taken bool) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
		return true
	case m.kind == typeResponse:
		e.reply(m)
		return true
	case m.isCancel():
		e.receiveCancel(m)
		return true
	case m.isLog() && e.logTaker.handler != nil:
		e.logTaker.take(m)
		return true
	default:
		return e.dispatcher.accept(m)
	}
}

// receiveUrgent takes what is for no queue: a cancel.
func (e *Endpoint) receiveUrgent(msg []byte) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
	case m.isCancel():
		e.receiveCancel(m)
	default:
		e.end(&ProtocolError{fmt.Sprintf("message of type %d came in the class of cancels", m.kind), nil})
	}
}

func (e *Endpoint) receiveCancel(m message) {
	id, err := m.cancelled()
	if err != nil {
		e.end(err)
		return
	}
	e.dispatcher.cancel(id)
}

// receiveReply takes a message from the link of the calls this side makes.
func (e *Endpoint) receiveReply(msg []byte, _ bool) (taken bool) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
	case m.kind == typeResponse:
		e.reply(m)
	default:
		e.end(&ProtocolError{fmt.Sprintf("message of type %d came where only responses may", m.kind), nil})
	}
	return true
}

// receiveCall takes a message from the link of the calls this side answers.
func (e *Endpoint) receiveCall(msg []byte, oneWay bool) (taken bool) {
	m, ok := e.parse(msg)
	switch {
	case !ok:
		return true
	case m.kind == typeResponse:
		e.end(&ProtocolError{"response came where only requests and notifications may", nil})
		return true
	case m.isCancel() && e.dispatcher.bare:
		e.receiveCancel(m)
		return true
	case (oneWay != (m.kind == typeNotification) || m.isCancel()) && !e.dispatcher.bare: // its credit would go to another class
		e.end(&ProtocolError{fmt.Sprintf("message of type %d came in the class of another", m.kind), nil})
		return true
	case m.isLog() && e.logTaker.handler != nil:
		e.logTaker.take(m)
		return true
	default:
		return e.dispatcher.accept(m)
	}
}

// parse reports false for what is not to be looked at.
func (e *Endpoint) parse(msg []byte) (message, bool) {
	if e.deaf.Load() {
		return message{}, false
	}
	m, err := parseMessage(msg, e.opts.maxDepth())
	if err != nil {
		e.end(err)
	}
	return m, err == nil
}

const lateReply = "viaduct: dropped a reply: nobody waits for it any more"

// reply hands a response to whoever waits for it.
func (e *Endpoint) reply(m message) {
	c := e.pending.take(m.id, m.err != nil)
	e.dispatcher.lookAgain()
	switch c {
	case nil:
		e.reporter.warn(lateReply, "msgid", m.id, "bytes", m.size)
	case &abandoned:
	default:
		c.response = m
		e.complete(c)
	}
}

// complete tells whoever made c that it has a response or an error.
func (e *Endpoint) complete(c *pendingCall) {
	switch {
	case c.client != nil:
		if c.done != nil {
			e.dispatcher.pool.run(job{own: func() { c.report(e.outcome(c)) }})
		}
		c.client.push(c)
	case c.async == nil:
		c.ready <- struct{}{} // has a slot of its own
	case c.err != nil && c.done == nil:
		e.finishAsync(c, c.err)
	default:
		e.dispatcher.pool.run(job{call: c}) // to decode the reply
	}
}
