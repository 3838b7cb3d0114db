package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"net/rpc"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
)

// Counts are how often each kind of work was done and found right.
type Counts struct {
	Echoes, Large, Values, Nests, Losses, Cancels, Notes, Streams, Clients, Records int64
}

// load puts all kinds of load on the link for so long.
func (s *side) load(ctx context.Context, seed uint64, length time.Duration) (Counts, error) {
	var c Counts
	var sent atomic.Int64 // notifications
	kinds := []struct {
		loops int
		count *int64
		do    func(context.Context, *rand.Rand) error
	}{
		{8, &c.Echoes, func(ctx context.Context, r *rand.Rand) error { return s.echo(ctx, r, r.IntN(2000)) }},
		{2, &c.Large, func(ctx context.Context, r *rand.Rand) error { return s.echo(ctx, r, r.IntN(4<<20)) }},
		{2, &c.Values, s.values},
		{2, &c.Nests, s.nest},
		{1, &c.Losses, s.lose},
		{2, &c.Cancels, s.cancel},
		{2, &c.Notes, s.noter(seed, &sent)},
		{2, &c.Streams, s.stream},
		{2, &c.Clients, s.client},
		{1, &c.Records, s.log},
	}
	over := time.Now().Add(length)
	var all sync.WaitGroup
	failed := make(chan error, 100)
	for k, kind := range kinds {
		for loop := range kind.loops {
			all.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(k<<8|loop)))
				for once := false; !once || time.Now().Before(over); once = true { // at least, on a slow machine
					if err := kind.do(ctx, r); err != nil {
						failed <- fmt.Errorf("%v: %w", reflect.TypeFor[Counts]().Field(k).Name, err)
						return
					}
					atomic.AddInt64(kind.count, 1)
				}
			})
		}
	}
	all.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return c, err
	}
	var came int
	if err := s.peer.CallContext(ctx, "Side.Notes", &Nested{Depth: int(sent.Load())}, &came); err != nil {
		return c, err
	}
	if came != int(sent.Load()) {
		return c, fmt.Errorf("%d notifications were sent, and %d came", sent.Load(), came)
	}
	return c, nil
}

func random(r *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func (s *side) echo(ctx context.Context, r *rand.Rand, n int) error {
	data := random(r, n)
	var reply []byte
	if err := s.peer.CallContext(ctx, "Side.Echo", data, &reply); err != nil {
		return err
	}
	if !bytes.Equal(data, reply) {
		return fmt.Errorf("%d bytes came back as %d others", len(data), len(reply))
	}
	return nil
}

// values sends what needs labels. The offset of a time is kept only between two of the later version.
func (s *side) values(ctx context.Context, r *rand.Rand) error {
	v := Any{
		Value: Point{int(r.Int32()), -1}, Time: time.Unix(r.Int64N(1<<33), r.Int64N(1e9)),
		Each: map[string]float64{"a": r.Float64(), "b": 0},
	}
	if r.IntN(2) == 0 {
		v.Value = []any{Point{1, 2}, int8(3), "four", nil}
	}
	var reply Any
	if err := s.peer.CallContext(ctx, "Side.Any", v, &reply); err != nil {
		return err
	}
	if !reply.Time.Equal(v.Time) {
		return fmt.Errorf("%v came back as %v", v.Time, reply.Time)
	}
	if reply.Time = v.Time; !reflect.DeepEqual(v, reply) {
		return fmt.Errorf("%#v came back as %#v", v, reply)
	}
	return nil
}

func (s *side) nest(ctx context.Context, r *rand.Rand) error {
	depth, calls := r.IntN(8), 0
	if err := s.peer.CallContext(ctx, "Side.Nest", &Nested{Depth: depth}, &calls); err != nil {
		return err
	}
	if calls != depth+1 {
		return fmt.Errorf("%d calls were made, not %d", calls, depth+1)
	}
	return nil
}

func (s *side) lose(ctx context.Context, r *rand.Rand) error {
	n := r.IntN(1000)
	err := s.peer.CallContext(ctx, "Side.Lose", &Nested{Depth: n}, new(int))
	var text rpc.ServerError
	if !errors.Is(err, errLost) || !errors.As(err, &text) || err.Error() != fmt.Sprintf("%d: %v", n, errLost) {
		return fmt.Errorf("not the error of the method: %w", err)
	}
	return nil
}

// cancel gives up a call at a random moment.
func (s *side) cancel(ctx context.Context, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
	defer cancel()
	err := s.peer.CallContext(ctx, "Side.Hang", &Nested{}, new(int))
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not given up: %w", err)
	}
	return nil
}

// noter returns what sends the next of the numbered notifications. There is one sender of each number.
func (s *side) noter(seed uint64, sent *atomic.Int64) func(context.Context, *rand.Rand) error {
	type sender struct{ of, n uint64 }
	senders := make(chan *sender, 2)
	senders <- &sender{of: seed << 8}
	senders <- &sender{of: seed<<8 | 1}
	return func(ctx context.Context, r *rand.Rand) error {
		from := <-senders
		defer func() { senders <- from }()
		size := r.IntN(200)
		if r.IntN(100) == 0 {
			size = r.IntN(300_000)
		}
		if err := s.peer.Notify(ctx, "Side.Note", &Note{Of: from.of, N: int(from.n), Data: random(r, size)}); err != nil {
			return err
		}
		from.n++
		sent.Add(1)
		return nil
	}
}

// stream sends bytes over a stream that a call names.
func (s *side) stream(ctx context.Context, r *rand.Rand) error {
	data := random(r, r.IntN(1<<20))
	name, conn := s.peer.Offer()
	defer conn.Close()
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		end := conn.(*duplex.Stream).CloseWrite()
		if errors.Is(end, os.ErrDeadlineExceeded) {
			end = nil // the machine is busy: it goes out by itself
		}
		written <- errors.Join(err, end)
	}()
	var got Sum
	err := s.peer.CallContext(ctx, "Side.Sum", &Stream{Data: name}, &got)
	if err != nil {
		return err // Close releases the writer
	}
	if err := <-written; err != nil {
		return err
	}
	if want := (Sum{int64(len(data)), crc32.ChecksumIEEE(data)}); got != want {
		return fmt.Errorf("the stream of %+v was read as %+v", want, got)
	}
	return nil
}

// client calls by the standard client.
func (s *side) client(_ context.Context, r *rand.Rand) error {
	data := random(r, 100)
	var reply []byte
	if err := s.peer.Client().Call("Side.Echo", data, &reply); err != nil {
		return err
	}
	if !bytes.Equal(data, reply) {
		return errors.New("other bytes came back")
	}
	return nil
}

// log logs a record, and makes a call that bounds how many of them there are.
func (s *side) log(ctx context.Context, r *rand.Rand) error {
	slog.New(s.peer.LogHandler(nil)).Info("a record", "n", r.Int(), "long", strings.Repeat("x", r.IntN(5000)))
	return s.echo(ctx, r, 10)
}
