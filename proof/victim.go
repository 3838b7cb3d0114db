package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/rpc"
	"os/exec"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// Victim is a process that has liars for children, one after the other, beside an honest one that it
// calls all the time. What it does is measured: it does nothing else.
type Victim struct {
	census rpctest.Census
	honest *bystander
}

// Ordeal says which lie is to be told: one of allLies, or one of mischief.
type Ordeal struct {
	viaduct.Caller
	Lie     int
	Misdeed *rpctest.Misdeed
}

// Suffered is what has become of a Victim. Sizes are what it has held at most more than before.
type Suffered struct {
	Outcome   outcome
	Error     string // the first
	Killed    bool   // the liar did not end by itself
	Heap, RSS int64
	CPU, Took time.Duration
	Waits     []time.Duration // of the honest child's callers, meanwhile
	Found     []Finding
}

// Finding is something that should not be.
type Finding struct{ Kind, Text string }

// victim is the life of such a process.
func victim() error {
	v := &Victim{}
	server := rpc.NewServer()
	if err := server.Register(v); err != nil {
		return err
	}
	ready := make(chan struct{})
	p, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{
		Server: server, // calls wait until there is all that they need
		ServeHook: func(context.Context, rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
			<-ready
			return nil, nil
		},
	})
	if err != nil {
		return err
	}
	if v.honest, err = besides(); err != nil {
		return err
	}
	close(ready)
	p.Wait()
	return v.honest.end()
}

// Alone returns how long the honest child's callers wait while nobody lies. It is called first.
func (v *Victim) Alone(_ Ordeal, reply *Suffered) error {
	v.census = rpctest.TakeCensus() // of all goroutines but this one
	m := v.begin()
	<-time.After(time.Second)
	m.end(reply)
	return nil
}

// Suffer has a liar do what it does, and reports what has come of it.
func (v *Victim) Suffer(arg Ordeal, reply *Suffered) error {
	m := v.begin()
	if arg.Misdeed != nil {
		v.suffer(reply, rpctest.Child{Misdeeds: []rpctest.Misdeed{*arg.Misdeed}}.Command(), &lie{want: 0})
	} else {
		v.suffer(reply, procspawn.Self("liar", fmt.Sprint(arg.Lie)), &allLies()[arg.Lie])
	}
	m.end(reply)
	if err := v.honest.err(); err != nil {
		reply.found("wrong answer", "the link to another child: %v", err)
	}
	for _, left := range v.census.Left() {
		reply.found("left behind", "%s", left)
	}
	return nil
}

func (s *Suffered) found(kind, format string, args ...any) {
	s.Found = append(s.Found, Finding{kind, fmt.Sprintf(format, args...)})
}

// brief is how long a call may take that is not expected to end by itself.
const brief = 200 * time.Millisecond

// Prey is what a liar can call.
type Prey struct{ Service }

// Block returns when its caller has given up, or the link has ended.
func (Prey) Block(arg Data, _ *struct{}) error {
	<-arg.Context().Done()
	return nil
}

// Stubborn goes on for a while after its caller has given up.
func (Prey) Stubborn(arg Data, _ *struct{}) error {
	<-arg.Context().Done()
	<-time.After(brief / 2)
	return nil
}

// Any takes anything.
func (Prey) Any(any, *struct{}) error { return nil }

// Number takes a number.
func (Prey) Number(*big.Int, *struct{}) error { return nil }

// preyOptions are what docs/security.md advises for a child that is not trusted.
func preyOptions(l *lie) *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.RegisterName("Service", Prey{}); err != nil {
		panic(err)
	}
	opts := &rpcpipe.Options{
		Server: server, MaxMessage: 1 << 20, MaxHandlers: 64, MaxWaiting: 64, MaxHandlerBytes: 8 << 20,
		CloseTimeout: brief, TermTimeout: brief, ShutdownTimeout: 2 * brief,
		LogHandler: slog.DiscardHandler,
	}
	if l.want == refused || l.want == 0 {
		opts.HandshakeTimeout = 5 * brief
	}
	return opts
}

// suffer starts a liar, calls it a few times, does what else there is to do, and ends it.
func (v *Victim) suffer(s *Suffered, cmd *exec.Cmd, l *lie) {
	p, err := rpcpipe.Start(context.Background(), cmd, preyOptions(l))
	if err != nil {
		s.note(err, nil, refused)
		return
	}
	go echoStreams(p)
	patient := patience
	if l.want&late != 0 || l.want == 0 {
		patient = brief
	}
	bounded := func(f func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		s.note(f(ctx), p, failed)
	}
	bounded(func(ctx context.Context) error { return p.CallContext(ctx, "Lie.Now", &Data{N: 1}, l.then.reply()) })
	for i := range 3 {
		bounded(func(ctx context.Context) error {
			var got Data
			err := p.CallContext(ctx, "Service.Echo", &Data{N: i}, &got)
			if err == nil && got.N != i {
				s.found("wrong answer", "%d instead of %d", got.N, i)
			}
			return err
		})
	}
	if l.want == ended && l.then == asks { // it may take a moment
		select {
		case <-p.Done():
		case <-time.After(patience):
		}
	}
	if p.Err() == nil {
		bounded(func(ctx context.Context) error { return l.then.do(ctx, p) })
	}
	s.note(nil, p, harmless)
	p.Close()
	p.Wait()
	s.Killed = p.Process().Exit().Step == procspawn.StepKill
}

// note notes an error, or that there was none, and what became of the link.
func (s *Suffered) note(err error, p *rpcpipe.Peer, otherwise outcome) {
	if err != nil && s.Error == "" {
		s.Error = err.Error()
	}
	now := harmless
	switch {
	case err != nil && otherwise == refused:
		now = refused
	case p.Err() != nil:
		now = ended
	case errors.Is(err, context.DeadlineExceeded):
		now = late
	case err != nil:
		now = failed
	}
	if err != nil && !typed(err) {
		s.found("unknown error", "%T: %v", err, err)
	}
	if s.Outcome == 0 || now < s.Outcome { // the worst counts
		s.Outcome = now
	}
}

// typed reports whether err is one that the documentation of rpcpipe lists.
func typed(err error) bool {
	var server rpc.ServerError
	var body *viaduct.BodyError
	var size *viaduct.SizeError
	var panicked *viaduct.PanicError
	var broken *duplex.ProtocolError // of Shutdown, which says why the link has ended
	return known(err) || errors.As(err, &broken) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &server) || errors.As(err, &body) || errors.As(err, &size) || errors.As(err, &panicked)
}

// bystander calls an honest child all the time.
type bystander struct {
	peer *rpcpipe.Peer
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	waits  []time.Duration
	failed error
}

func besides() (*bystander, error) {
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("rest"), options())
	if err != nil {
		return nil, err
	}
	b := &bystander{peer: p, stop: make(chan struct{}), done: make(chan struct{})}
	go b.call()
	return b, nil
}

// call calls once in a millisecond, if that is possible.
func (b *bystander) call() {
	defer close(b.done)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-b.stop:
			return
		}
		begin := time.Now()
		err := echo(b.peer, n, 10)
		b.mu.Lock()
		b.waits = append(b.waits, time.Since(begin))
		if err != nil && b.failed == nil {
			b.failed = err
		}
		b.mu.Unlock()
	}
}

func (b *bystander) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// taken returns the waits since it was called last.
func (b *bystander) taken() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := b.waits
	b.waits = nil
	return waits
}

func (b *bystander) end() error {
	close(b.stop)
	<-b.done
	return b.peer.Close()
}

// measured is what a Victim uses between two moments.
type measured struct {
	v         *Victim
	began     time.Time
	cpu       time.Duration
	heap, rss int64
	stop      chan struct{}
	peak      chan int64 // of the heap
}

func (v *Victim) begin() *measured {
	debug.FreeOSMemory()
	v.honest.taken()
	m := &measured{v: v, began: time.Now(), cpu: cpuTime(), heap: heapNow(), stop: make(chan struct{}), peak: make(chan int64, 1)}
	m.rss = resetRSS()
	go func() {
		peak := int64(0)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, heapNow())
			select {
			case <-tick.C:
			case <-m.stop:
				m.peak <- peak
				return
			}
		}
	}()
	return m
}

func (m *measured) end(s *Suffered) {
	close(m.stop)
	s.Heap = max(0, <-m.peak-m.heap)
	s.RSS = max(0, peakRSS()-m.rss)
	s.CPU, s.Took = cpuTime()-m.cpu, time.Since(m.began)
	s.Waits = m.v.honest.taken()
}

// quantile returns the wait that a part of all, from 0 to 1, does not exceed.
func quantile(waits []time.Duration, part float64) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	slices.Sort(waits)
	return waits[int(part*float64(len(waits)-1))]
}

// cpuTime is what this process has computed.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
