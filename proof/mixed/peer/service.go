package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// errLost crosses by its name.
var errLost = errors.New("peer: lost property")

// Point crosses in an interface.
type Point struct{ X, Y int }

func init() {
	gob.Register(Point{})
	viaduct.RegisterError("peer.errLost", errLost)
}

// side is what a process offers, and what it has noticed.
type side struct {
	server *rpc.Server
	ready  chan struct{} // closed when peer is set
	peer   *rpcpipe.Peer
	logs   records
	told   warnings
	notes  atomic.Int64 // notifications that have come
	parked atomic.Int64 // calls that wait until they are cancelled

	mu    sync.Mutex // guards what follows
	next  map[uint64]int
	first error         // what was wrong first
	more  chan struct{} // closed by the next notification; nil: nobody waits
}

func newSide() *side {
	s := &side{server: rpc.NewServer(), ready: make(chan struct{}), next: map[uint64]int{}}
	if err := s.server.RegisterName("Side", &Side{s}); err != nil {
		panic(err) // of the method set below
	}
	return s
}

func (s *side) connected(p *rpcpipe.Peer) {
	s.peer = p
	close(s.ready)
}

// found notes what is wrong.
func (s *side) found(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = fmt.Errorf(format, args...)
	}
}

func (s *side) wrong() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.first, s.logs.wrong(), s.told.wrong())
}

// Side has the methods of either process.
type Side struct{ s *side }

func (m *Side) Echo(data []byte, reply *[]byte) error {
	*reply = data
	return nil
}

// Any is an argument with what MessagePack alone would change.
type Any struct {
	Value any
	Time  time.Time
	Each  map[string]float64
}

func (m *Side) Any(v Any, reply *Any) error {
	*reply = v
	return nil
}

type Nested struct {
	viaduct.Caller
	Depth int
}

// Nest calls the other side back, as deep as it says. The reply is the number of calls in all.
func (m *Side) Nest(a Nested, calls *int) error {
	if a.Depth > 0 {
		if err := rpcpipe.FromContext(a.Context()).CallContext(a.Context(), "Side.Nest", &Nested{Depth: a.Depth - 1}, calls); err != nil {
			return a.Fail(err)
		}
	}
	*calls++
	return nil
}

func (m *Side) Lose(a Nested, _ *int) error {
	return a.Fail(fmt.Errorf("%d: %w", a.Depth, errLost))
}

// Hang waits until its caller gives up.
func (m *Side) Hang(a Nested, _ *int) error {
	m.s.parked.Add(1)
	defer m.s.parked.Add(-1)
	<-a.Context().Done()
	return a.Fail(a.Context().Err()) // its deadline ends it here as well
}

func (m *Side) Park(d time.Duration, _ *int) error {
	time.Sleep(d) // what it is for
	return nil
}

// Note is the notification with this number of those of one sender.
type Note struct {
	Of   uint64
	N    int
	Data []byte
}

func (m *Side) Note(n Note, _ *int) error {
	m.s.mu.Lock()
	want := m.s.next[n.Of]
	m.s.next[n.Of]++
	m.s.mu.Unlock()
	if n.N != want {
		m.s.found("notification %d of sender %d came as number %d", n.N, n.Of, want)
	}
	m.s.notes.Add(1)
	m.s.mu.Lock()
	if m.s.more != nil {
		close(m.s.more)
		m.s.more = nil
	}
	m.s.mu.Unlock()
	return nil
}

func (m *Side) Last(int, *int) error { return nil }

// Notes waits until so many notifications have come, and answers how many have.
func (m *Side) Notes(a Nested, n *int) error {
	for {
		more := m.s.moreNotes()
		if *n = int(m.s.notes.Load()); *n >= a.Depth {
			return nil
		}
		select {
		case <-a.Context().Done():
			return a.Fail(a.Context().Err())
		case <-more:
		}
	}
}

// moreNotes returns a channel that is closed when another notification has come.
func (s *side) moreNotes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = make(chan struct{})
	}
	return s.more
}

// Sum is the checksum of all that comes over a stream.
func (m *Side) Sum(a Stream, sum *Sum) error {
	conn, err := a.Data.Open(a.Context())
	if err != nil {
		return a.Fail(err)
	}
	defer conn.Close()
	h := crc32.NewIEEE()
	if sum.Bytes, err = io.Copy(h, conn); err != nil {
		return a.Fail(err)
	}
	sum.CRC = h.Sum32()
	return nil
}

type Stream struct {
	viaduct.Caller
	Data rpcpipe.StreamName
}

type Sum struct {
	Bytes int64
	CRC   uint32
}

// Order is how long to put load on the link.
type Order struct {
	Seed uint64
	For  time.Duration
}

func (m *Side) Load(o Order, c *Counts) (err error) {
	<-m.s.ready
	*c, err = m.s.load(context.Background(), o.Seed, o.For)
	return err
}

// records takes what the other side logs.
type records struct {
	n   atomic.Int64
	bad atomic.Pointer[string]
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	if rec.Message != "a record" && rec.Level < slog.LevelWarn { // some may be dropped, which is told by a warning
		text := rec.Message
		r.bad.Store(&text)
	}
	r.n.Add(1)
	return nil
}

func (r *records) wrong() error {
	if text := r.bad.Load(); text != nil {
		return fmt.Errorf("a log record came as %q", *text)
	}
	return nil
}

// warnings takes what the library has to say: nothing, but of calls that were given up.
type warnings struct{ first atomic.Pointer[string] }

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler       { return w }
func (w *warnings) WithGroup(string) slog.Handler            { return w }
func (w *warnings) Handle(_ context.Context, rec slog.Record) error {
	if rec.Level >= slog.LevelError {
		w.first.CompareAndSwap(nil, &rec.Message)
	}
	return nil
}

func (w *warnings) wrong() error {
	if text := w.first.Load(); text != nil {
		return fmt.Errorf("the library told its Logger: %s", *text)
	}
	return nil
}
