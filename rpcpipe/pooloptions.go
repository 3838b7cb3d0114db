package rpcpipe

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// PoolOptions adjust a [Pool]. Nil and zero fields mean the defaults. They are copied. A value that
// has no meaning, such as a negative time, is an error of [NewPool] that names the field.
type PoolOptions struct {
	// Supervise says how each child is kept, as with [Supervise]. Its Name is that of the Pool, and
	// the children are called "worker[0]" and so on; its default is "worker". Its MaxWait is how
	// long a job waits, in all, while no child at all is up. Its Events and Stderr are called, and
	// written to, by one child at a time. Its Restart concerns children that end, or do not come
	// up, without a job: one that dies while it has a job is followed by another at once, however
	// often; and OnSuccess is always so. Idempotent has to be nil: see Attempts.
	Supervise *SuperviseOptions

	// Size is how many children there are, at least. Default: one for each processor
	// ([runtime.GOMAXPROCS]).
	Size int

	// MaxSize is how many there may be: when a job has waited for 10 ms, one more is started, and
	// the next 10 ms later if jobs still wait. Default: Size.
	MaxSize int

	// IdleTimeout is how long a child beyond Size has to have had no job before it is ended.
	// Default: 30 s.
	IdleTimeout time.Duration

	// Concurrency is how many jobs a child has at once. With one, a job that makes its child crash,
	// or has to be ended with it, costs no other job anything. Default: 1.
	Concurrency int

	// Timeout is how long a job may take, from when a child has got it. Default: as long as its
	// context says.
	Timeout time.Duration

	// GiveUpTime is how long the method of a job may go on when nobody waits for it any more, after
	// Timeout or the end of its context, of which it is told by its own context. Until it has
	// returned its child gets no other job in its place. Then the child is killed, when the other
	// jobs that it has, if there are any, have ended. A child that does not say whether its methods
	// have returned, as one that is not written in Go, is killed as well. Default: 1 s.
	GiveUpTime time.Duration

	// Attempts is how many children a job may be given to, one after the other, if they die of it,
	// or with it. Jobs that a child has not begun do not count: those go to another one. Default:
	// 1.
	Attempts int

	// RecycleJobs is how many jobs a child gets, at most, and then a new one takes its place. That
	// is started up to a quarter of the jobs earlier, at random, so that not all children are
	// replaced at the same time, and takes the place when it is ready. With 1 each job has a
	// process of its own. RecycleMemory is how many bytes a child may hold when a job has ended
	// ([procspawn.Process.Memory], looked at every 10 ms at most): one that holds more is replaced,
	// and gets jobs until the new one is ready. The old child finishes what it has, however long
	// that takes; those jobs still count for the Concurrency of the new one. Unless jobs would have
	// to wait for it, one child is replaced at a time. Default of both: children are not replaced.
	RecycleJobs   int
	RecycleMemory int64
}

// complete checks o and puts the defaults in.
func (o *PoolOptions) complete() error {
	var each SuperviseOptions
	if o.Supervise != nil {
		each = *o.Supervise
	}
	if each.Name == "" {
		each.Name = "worker"
	}
	if each.Idempotent != nil {
		return errors.New("rpcpipe: PoolOptions.Supervise.Idempotent is set: Attempts says how often a job of a Pool may be run")
	}
	each.Restart.OnSuccess = true
	if err := each.complete(); err != nil {
		return fmt.Errorf("PoolOptions.Supervise: %w", err)
	}
	o.Supervise = &each
	for _, f := range []struct {
		field    string
		value    *int
		standard int
	}{
		{"Size", &o.Size, runtime.GOMAXPROCS(0)},
		{"MaxSize", &o.MaxSize, 0},
		{"Concurrency", &o.Concurrency, 1},
		{"Attempts", &o.Attempts, 1},
		{"RecycleJobs", &o.RecycleJobs, 0},
	} {
		if *f.value < 0 {
			return fmt.Errorf("rpcpipe: PoolOptions.%s is %d: more than 0 was expected, or 0 for the default", f.field, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	for _, f := range []struct {
		field    string
		value    *time.Duration
		standard time.Duration
	}{
		{"IdleTimeout", &o.IdleTimeout, 30 * time.Second},
		{"Timeout", &o.Timeout, 0},
		{"GiveUpTime", &o.GiveUpTime, time.Second},
	} {
		if *f.value < 0 {
			return fmt.Errorf("rpcpipe: PoolOptions.%s is %v: more than 0 was expected, or 0 for the default", f.field, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	switch {
	case o.MaxSize == 0:
		o.MaxSize = o.Size
	case o.MaxSize < o.Size:
		return fmt.Errorf("rpcpipe: PoolOptions.MaxSize is %d: as much as Size was expected, which is %d", o.MaxSize, o.Size)
	}
	if o.RecycleMemory < 0 {
		return fmt.Errorf("rpcpipe: PoolOptions.RecycleMemory is %d: more than 0 was expected, or 0 for no limit", o.RecycleMemory)
	}
	return nil
}
