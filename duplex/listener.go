package duplex

import "net"

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
