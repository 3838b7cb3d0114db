package duplex

import (
	"context"
	"net"
)

// Open opens a stream and waits until the other side has taken it, by Accept
// or a [Conn.Listener]. The error is ctx.Err(), one that is [ErrRefused], [ErrShutdown] or [ErrNoStreams], or the link's,
// in a [*net.OpError]. The net.Conn is a [*Stream].
func (c *Conn) Open(ctx context.Context) (net.Conn, error) { return c.streams.open(ctx, 0) }

// OpenOffer opens the stream that the other side has offered by this name. It is as Open, but
// the other side need not take it. An offer is there until it is opened or closed.
func (c *Conn) OpenOffer(ctx context.Context, name uint32) (net.Conn, error) {
	if name == 0 {
		return nil, openError(refused(resetNoOffer))
	}
	return c.streams.open(ctx, name)
}

func openError(err error) error { return &net.OpError{Op: "open", Net: "viaduct", Err: err} }

func (ss *streams) open(ctx context.Context, name uint32) (net.Conn, error) {
	s, err := ss.start(ctx, name)
	if err != nil {
		return nil, openError(err)
	}
	select {
	case <-s.answered:
	case <-ctx.Done():
		err = ctx.Err()
		ss.reset(s, resetByUser, err)
	case <-ss.c.done:
		err = ss.endErr(errEnded)
	}
	<-ss.opening
	if err == nil {
		ss.mu.Lock()
		err = s.refused
		ss.mu.Unlock()
	}
	if err != nil {
		return nil, openError(err)
	}
	return s, nil
}

// start has a stream opened, once it has a place among those without an answer.
func (ss *streams) start(ctx context.Context, name uint32) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ss.c.noStreams {
		return nil, ErrNoStreams
	}
	select {
	case ss.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-ss.c.done:
		return nil, ss.endErr(errEnded)
	}
	s := ss.newStream(byOpener)
	window := s.in.open()
	if err := ss.number(s, window, name); err != nil {
		<-ss.opening
		return nil, ss.endErr(err)
	}
	ss.c.writer.flush()
	return s, nil
}

// endErr replaces what the writer says of the link's end by what users of streams are told.
func (ss *streams) endErr(err error) error {
	switch err {
	case errEnded:
		return cutOff(ss.c.streamsErr())
	case ErrClosed:
		return errStreamsClosed
	}
	return err
}

// number gives s an id and has it opened. The ids go out in order.
func (ss *streams) number(s *Stream, window, name uint32) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w := &ss.c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.maySend(); err != nil {
		return err
	}
	if name == 0 && w.work.draining.Load() {
		return ErrShutdown // the other side would refuse it
	}
	for ss.table[streamKey{ss.nextID, true}] != nil {
		ss.nextID++
	}
	s.key = streamKey{ss.nextID, true}
	ss.nextID++
	ss.put(s)
	s.out.id, s.out.opened = s.key.id, true
	s.out.window, s.out.name = window, name
	s.out.owe(dueOpen)
	return nil
}

// Offer returns a stream for the other side to open by OpenOffer, and the name
// by which it does, which is to be sent there in a message: so a call can be given
// a stream, and a reply can. The stream does not go through Accept. What is written
// waits until then, and CloseWrite may be called before. Close and Reset take the offer back. If the other side does not know streams the name
// is 0, and Read and Write fail with [ErrNoStreams]. The net.Conn is a [*Stream].
func (c *Conn) Offer() (name uint32, stream net.Conn) {
	ss := &c.streams
	s := ss.newStream(byAcceptor)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.gone = c.noStreams || ss.ended
	switch {
	case c.noStreams:
		s.in.fail(ErrNoStreams, true)
		s.out.failed = ErrNoStreams
		return 0, s
	case ss.ended:
		s.in.fail(errEnded, true)
		return 0, s
	}
	for ss.nextOffer++; ss.nextOffer == 0 || ss.offers[ss.nextOffer] != nil; {
		ss.nextOffer++
	}
	s.offer = ss.nextOffer
	if ss.offers == nil {
		ss.offers = make(map[uint32]*Stream)
	}
	ss.offers[s.offer] = s
	ss.count(s)
	return s.offer, s
}
