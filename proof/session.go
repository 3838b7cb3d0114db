package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// answerTime is how long the calls of a damaged session wait for an answer that may have been lost.
const answerTime = 100 * time.Millisecond

// session is what two sides say to each other, in the same order each time: a hello, a small call, one
// of two frames, a notification, a stream, and the end.
type session struct {
	link     *rpctest.Link
	sums     bool // frames have checksums
	answers  int  // that were right
	errors   int  // calls that failed otherwise
	unsaid   int  // calls that were given up
	wrong    int  // answers that are not what was asked for
	complete bool // everything succeeded

	checksums atomic.Int32 // ends of the link that one has ended
}

// hold runs a session over a link with a fault. It reports a hang to t.
func hold(t *trials, opts *rpctest.LinkOptions, what string) *session {
	s := &session{link: rpctest.NewLink(opts), sums: t.sums}
	var both sync.WaitGroup
	done := make(chan struct{})
	both.Go(func() { s.ask() })
	both.Go(func() { s.answer() })
	go func() {
		both.Wait()
		close(done)
	}()
	within(t, done, what)
	return s
}

// sessionOptions are those of both sides.
func (s *session) options() *rpcpipe.Options {
	opts := options()
	opts.HandshakeTimeout = answerTime
	opts.Keepalive = answerTime / 2
	opts.ShutdownTimeout = answerTime
	opts.Checksum = s.sums
	return opts
}

// ended notes how the link of p has ended.
func (s *session) ended(p *rpcpipe.Peer) {
	if errors.As(p.Err(), new(*duplex.ChecksumError)) {
		s.checksums.Add(1)
	}
}

// ask is the side that says nearly all.
func (s *session) ask() {
	defer s.link.Cut() // whatever the other side waits for
	p, err := rpcpipe.New(context.Background(), s.link.A, s.options())
	if err != nil {
		s.errors++
		return
	}
	defer s.ended(p)
	defer p.Wait()
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	for _, size := range []int{10, 33_000} {
		sent := make([]byte, size) // zeros: what was damaged within them, nobody can know without checksums
		var reply Data
		switch err := p.CallContext(ctx, "Service.Echo", &Data{N: 7, Bytes: sent}, &reply); {
		case err == nil && reply.N == 7 && len(reply.Bytes) == size && (!s.sums || bytes.Equal(reply.Bytes, sent)):
			s.answers++
		case err == nil:
			s.wrong++
		case errors.Is(err, context.DeadlineExceeded):
			s.unsaid++
		default:
			s.errors++
		}
	}
	p.Notify(ctx, "Service.Note", &Data{N: 1})
	if c, err := p.Open(ctx); err == nil {
		c.SetDeadline(time.Now().Add(answerTime))
		io.WriteString(c, "a stream")
		c.(interface{ CloseWrite() error }).CloseWrite()
		got, err := io.ReadAll(c)
		s.complete = err == nil && string(got) == "a stream"
		if s.sums && err == nil && !s.complete {
			s.wrong++
		}
		c.Close()
	}
	p.Shutdown(ctx)
}

// answer is the other side.
func (s *session) answer() {
	p, err := rpcpipe.New(context.Background(), s.link.B, s.options())
	if err != nil {
		return
	}
	go echoStreams(p)
	p.Wait()
	p.Close()
	s.ended(p)
}
