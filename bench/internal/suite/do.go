package suite

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// A do does a piece of work again and again, once at least, until the slice of time is over.
type do func(p work.Peer, slice time.Duration) (Sample, error)

// as returns the peer as one that can do more.
func as[T any](p work.Peer) (T, error) {
	t, ok := p.(T)
	if !ok {
		return t, fmt.Errorf("%T is no %T", p, &t)
	}
	return t, nil
}

// timed does pieces one after another and times each.
func timed(slice time.Duration, piece func(i int) error) (Sample, error) {
	var s Sample
	begin := time.Now()
	for last := begin; s.Took < slice; s.Count++ {
		if err := piece(s.Count); err != nil {
			return s, err
		}
		now := time.Now()
		s.Times = append(s.Times, now.Sub(last))
		s.Took, last = now.Sub(begin), now
	}
	return s, nil
}

// lone makes one small call after another.
func lone(p work.Peer, slice time.Duration) (Sample, error) {
	return timed(slice, func(i int) error { return work.Add(p, i, 1) })
}

// calls makes small calls from several callers.
func calls(callers int) do {
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		begin := time.Now()
		n, err := work.Drive(p, callers, slice)
		return Sample{Count: n, Took: time.Since(begin)}, err
	}
}

// echo sends bytes there and back, one call after another.
func echo(size int) do {
	list := work.NewBytes(size)
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		e, err := as[work.Echoer](p)
		if err != nil {
			return Sample{}, err
		}
		s, err := timed(slice, func(int) error { return work.Echo(e, list) })
		s.Bytes = s.Count * size
		return s, err
	}
}

// update sends a struct of ten fields there and another back.
func update(p work.Peer, slice time.Duration) (Sample, error) {
	u, err := as[work.Updater](p)
	if err != nil {
		return Sample{}, err
	}
	r := work.NewRecord()
	return timed(slice, func(int) error { return work.Update(u, r) })
}

// floats sends numbers there and back.
func floats(n int) do {
	list := work.NewFloats(n)
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		e, err := as[work.FloatsEchoer](p)
		if err != nil {
			return Sample{}, err
		}
		return timed(slice, func(int) error { return work.EchoFloats(e, list) })
	}
}

// both makes small calls from several callers on either side.
func both(callers int) do {
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		c, err := as[work.CallBacker](p)
		if err != nil {
			return Sample{}, err
		}
		begin := time.Now()
		var there int
		var thereErr error
		var running sync.WaitGroup
		running.Go(func() { there, thereErr = c.CallBack(callers, slice) })
		here, err := work.Drive(p, callers, slice)
		running.Wait()
		if err == nil {
			err = thereErr
		}
		return Sample{Count: here + there, Took: time.Since(begin)}, err
	}
}

// pour sends a stream of which the other side says, after each total, that it has had it.
func pour(total, chunk int) do {
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		s, err := as[work.Pourer](p)
		if err != nil {
			return Sample{}, err
		}
		sample, err := timed(slice, func(int) error { return s.Pour(total, chunk) })
		sample.Bytes = sample.Count * total
		return sample, err
	}
}

// notify sends small messages that are not answered, and waits now and then until they were
// handled.
func notify(batch int) do {
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		n, err := as[work.Notifier](p)
		if err != nil {
			return Sample{}, err
		}
		s, err := timed(slice, func(int) error { return n.Notify(batch) })
		s.Count *= batch
		return s, err
	}
}

// beside makes small calls one after another, and times them, while others echo bytes. Bytes are
// those that the others have sent meanwhile.
func beside(loops, size int) do {
	list := work.NewBytes(size)
	return func(p work.Peer, slice time.Duration) (Sample, error) {
		var stop atomic.Bool
		var running sync.WaitGroup
		counts, errs := make([]int, loops), make([]error, loops)
		begin := time.Now()
		for i := range loops {
			e, err := bulk(p, i)
			if err != nil {
				stop.Store(true)
				running.Wait()
				return Sample{}, err
			}
			running.Go(func() {
				for !stop.Load() && errs[i] == nil {
					errs[i] = work.Echo(e, list)
					counts[i]++
				}
			})
		}
		s, err := timed(slice, func(i int) error { return work.Add(p, i, 1) })
		stop.Store(true)
		running.Wait()
		s.Took = time.Since(begin) // until the last echo was back
		for i := range loops {
			s.Bytes += counts[i] * size
			if err == nil {
				err = errs[i]
			}
		}
		return s, err
	}
}

func bulk(p work.Peer, i int) (work.Echoer, error) {
	if b, ok := p.(work.Bulker); ok {
		return b.Bulk(i)
	}
	return as[work.Echoer](p)
}
