package duplex

import "net"

// Accept waits for the next stream that the other side opens, and takes it. Its error is a
// [*net.OpError] that wraps why the link has ended. The net.Conn is a [*Stream].
func (c *Conn) Accept() (net.Conn, error) {
	c.streams.countListeners(1)
	defer c.streams.countListeners(-1)
	return c.streams.accept(nil)
}

// Listener returns a listener for the streams that the other side opens. There may be several, and
// [Conn.Accept] may be called besides.
//
// Closing it ends neither the link nor streams. Once the last one is closed, streams that wait to
// be accepted are refused, and further ones, too, until somebody listens or accepts again.
func (c *Conn) Listener() net.Listener {
	ss := &c.streams
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.listeners++
	ss.noListener = false
	return &listener{streams: ss, closed: make(chan struct{})}
}

type listener struct {
	streams *streams
	closed  chan struct{} // closed by Close, holding streams.mu
}

func (l *listener) Accept() (net.Conn, error) { return l.streams.accept(l.closed) }

func (l *listener) Addr() net.Addr { return Addr("listener") }

// Close may be called more than once.
func (l *listener) Close() error {
	ss := l.streams
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if isClosed(l.closed) {
		return nil
	}
	close(l.closed)
	ss.listeners--
	if ss.listeners == 0 {
		ss.noListener = true
		ss.refuseWaiting(resetNoListener)
	}
	return nil
}

func (ss *streams) countListeners(delta int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.listeners += delta
}

// accept is Accept until stop is closed.
func (ss *streams) accept(stop <-chan struct{}) (net.Conn, error) {
	for {
		switch {
		case isClosed(ss.c.done):
			return nil, acceptError(ss.endErr(errEnded))
		case isClosed(stop):
			ss.wakeAnother()
			return nil, acceptError(net.ErrClosed)
		}
		if s := ss.takeWaiting(stop); s != nil {
			ss.c.writer.flush()
			return s, nil
		}
		select {
		case <-ss.arrived:
		case <-stop:
		case <-ss.c.done:
		}
	}
}

func acceptError(err error) error { return &net.OpError{Op: "accept", Net: "viaduct", Err: err} }

// takeWaiting takes the first stream that waits, and has the other side told. It returns nil if
// there is none.
func (ss *streams) takeWaiting(stop <-chan struct{}) *Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if isClosed(stop) { // looked at under mu, or a listener that is closed would listen again
		return nil
	}
	ss.noListener = false
	if len(ss.waiting) == 0 {
		return nil
	}
	s := ss.waiting[0]
	ss.waiting[0] = nil
	ss.waiting = ss.waiting[1:]
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
	ss.on(s, streamIsAccepted)
	ss.c.writer.update(func() { s.out.owe(dueAccept) })
	return s
}

// wakeAnother passes on the signal that one may have taken who accepts no more.
func (ss *streams) wakeAnother() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
}
