package duplex

import (
	"context"
	"net"
)

// Open opens a stream and waits until the other side has taken it, by Accept or a [Conn.Listener].
// Its error is a [*net.OpError] that wraps ctx.Err(), [ErrRefused], [ErrShutdown], [ErrNoStreams],
// or why the link has ended. The net.Conn is a [*Stream].
func (c *Conn) Open(ctx context.Context) (net.Conn, error) { return c.streams.open(ctx, 0) }

// OpenOffer opens the stream that the other side has offered by this name. An offer can be opened
// once. It is as Open, but nobody there need accept the stream, and a name of which there is no
// offer (any more) is [ErrRefused].
func (c *Conn) OpenOffer(ctx context.Context, name uint32) (net.Conn, error) {
	if name == 0 {
		return nil, openError(refused(resetNoOffer))
	}
	return c.streams.open(ctx, name)
}

// Offer returns a stream for the other side to open by OpenOffer, and the name by which it does.
// The name is to be sent there in a message: so a call, or a reply, can be given a stream. The
// stream does not go through Accept. What is written to it waits until it is opened. CloseWrite may
// be called before. Close and Reset take the offer back.
//
// If the other side does not know streams, the name is 0, and Read and Write fail with
// [ErrNoStreams]. The net.Conn is a [*Stream].
func (c *Conn) Offer() (name uint32, stream net.Conn) {
	ss := &c.streams
	s := ss.newStream(byAcceptor)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if err := ss.offerErr(); err != nil {
		s.in.close(err)
		s.out.err = err
		s.out.state.on(outResets)
		ss.on(s, streamEndsAtOnce)
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
	ss.on(s, streamIsOffered)
	return s.offer, s
}

// offerErr returns why nothing can be offered. mu is held.
func (ss *streams) offerErr() error {
	switch {
	case ss.c.noStreams:
		return ErrNoStreams
	case ss.ended:
		return errEnded
	}
	return nil
}

// open is Open, and OpenOffer if name is not 0.
func (ss *streams) open(ctx context.Context, name uint32) (net.Conn, error) {
	ss.c.writer.waits.begin()
	defer ss.c.writer.waits.end()
	s, err := ss.ask(ctx, name)
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
	<-ss.unanswered
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

// ask has the other side asked for a stream, once it has a place among those without an answer.
func (ss *streams) ask(ctx context.Context, name uint32) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ss.c.noStreams {
		return nil, ErrNoStreams
	}
	select {
	case ss.unanswered <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-ss.c.done:
		return nil, ss.endErr(errEnded)
	}
	s := ss.newStream(byOpener)
	if err := ss.number(s, name); err != nil {
		<-ss.unanswered
		return nil, ss.endErr(err)
	}
	ss.c.writer.flush()
	return s, nil
}

// number gives s an id and has it opened. The ids go out in order.
func (ss *streams) number(s *Stream, name uint32) error {
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
	for ss.table[streamKey{uint32(ss.nextID), true}] != nil {
		ss.nextID++
	}
	s.key = streamKey{uint32(ss.nextID), true}
	ss.nextID++
	ss.put(s, streamIsAsked)
	s.out.open(s.key.id, 0) // it sends nothing before the accept, which brings its window
	s.out.window, s.out.name = s.in.grantWindow(), name
	s.out.owe(dueOpen)
	return nil
}

func openError(err error) error { return &net.OpError{Op: "open", Net: "viaduct", Err: err} }

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
