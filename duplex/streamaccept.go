package duplex

import "net"

// Accept waits for the next stream that the other side opens and takes it. It
// fails when the link has ended. The net.Conn is a [*Stream].
func (c *Conn) Accept() (net.Conn, error) {
	c.streams.listen(1)
	defer c.streams.listen(-1)
	return c.streams.accept(nil)
}

// listen counts those who accept streams: the listeners, and the calls of Conn.Accept.
func (ss *streams) listen(delta int) {
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
			ss.pass()
			return nil, acceptError(net.ErrClosed)
		}
		if s := ss.next(stop); s != nil {
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

// next takes the first stream that waits, or returns nil.
func (ss *streams) next(stop <-chan struct{}) *Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if isClosed(stop) { // looked at under mu, or a listener that is closed would listen again
		return nil
	}
	ss.deaf = false
	if len(ss.waiting) == 0 {
		return nil
	}
	s := ss.waiting[0]
	ss.waiting[0] = nil
	ss.waiting = ss.waiting[1:]
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
	ss.take(s)
	return s
}

// pass passes on the signal that somebody may have taken who accepts no more.
func (ss *streams) pass() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
}

// take tells the other side that s is taken. mu is held.
func (ss *streams) take(s *Stream) {
	ss.c.writer.update(func() { s.out.owe(dueAccept) })
}

// Listener returns a listener for the streams that the other side opens. There
// may be several, and Accept may be called besides. Closing it ends neither the link nor streams; once the last
// one is closed, streams that wait to be accepted are refused, and further ones too until somebody
// listens or accepts again.
func (c *Conn) Listener() net.Listener {
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	c.streams.listeners++
	c.streams.deaf = false
	return &listener{streams: &c.streams, closed: make(chan struct{})}
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
	if isClosed(l.closed) {
		ss.mu.Unlock()
		return nil
	}
	close(l.closed)
	ss.listeners--
	var refused []*Stream
	if ss.listeners == 0 {
		ss.deaf = true
		refused = ss.waiting
		ss.waiting = nil
	}
	ss.mu.Unlock()
	for _, s := range refused {
		ss.reset(s, resetNoListener, net.ErrClosed)
	}
	return nil
}
