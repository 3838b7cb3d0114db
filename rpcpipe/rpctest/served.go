package rpctest

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// statusFailed is the exit status of a Child that could not do what it was told.
const statusFailed = 97

// carryOut is the life of a Child. It returns the exit status.
func (o *order) carryOut() int {
	for _, m := range o.at(AtStart) {
		if m.isLie() {
			return o.lieAtStart(m.Do)
		}
		act(m)
	}
	if o.staysOn() {
		signal.Ignore(syscall.SIGTERM)
	}
	if slices.ContainsFunc(o.Misdeeds, Misdeed.isLie) {
		return o.lie()
	}
	return o.serve()
}

// at returns what is done at a moment.
func (o *order) at(when When) []Misdeed {
	return slices.DeleteFunc(slices.Clone(o.Misdeeds), func(m Misdeed) bool { return m.When != when })
}

// staysOn reports whether the process is to live on when its link has ended.
func (o *order) staysOn() bool {
	return slices.ContainsFunc(o.Misdeeds, func(m Misdeed) bool {
		return m.When == AtEnd || m.Do == CloseLink || m.When != OnCall && (m.Do == Hang || m.Do == Spin)
	})
}

// serve answers the calls of the parent, as a Peer, until the link ends.
func (o *order) serve() int {
	s := &served{order: o, counts: newCounts(), up: make(chan struct{})}
	server := rpc.NewServer()
	known := map[string]bool{}
	for _, m := range o.methods() {
		known[m] = true
		if err := server.RegisterName(m, &answerer{s, m}); err != nil {
			return failed(err)
		}
	}
	if err := server.RegisterName(otherMethods, &answerer{s, ""}); err != nil {
		return failed(err)
	}
	opts := &rpcpipe.Options{
		Name: o.Name, Version: o.Version, Server: server, NoListing: true,
		ServiceMethod: func(method string) string {
			if !known[method] {
				method = otherMethods
			}
			return method + ".Answer"
		},
	}
	if o.staysOn() {
		opts.ExitTimeout, opts.HandlesSIGTERM = -1, true
	}
	p, err := rpcpipe.Connect(context.Background(), opts)
	if err != nil {
		return failed(err)
	}
	s.link = p
	close(s.up)
	for _, m := range o.at(AtHello) {
		s.do(m)
	}
	if err := p.Wait(); err != nil && !o.staysOn() {
		return failed(err)
	}
	return o.end()
}

// end is what is done when the link has ended. It returns the exit status.
func (o *order) end() int {
	for _, m := range o.at(AtEnd) {
		act(m)
	}
	if o.staysOn() {
		forever()
	}
	return 0
}

// otherMethods is the service for methods that the order does not name.
const otherMethods = "other"

// methods returns the names of the methods that the order says something of.
func (o *order) methods() []string {
	names := map[string]bool{}
	for m := range o.Replies {
		names[m] = true
	}
	for m := range o.Failures {
		names[m] = true
	}
	for _, m := range o.Misdeeds {
		names[m.Method] = true
	}
	delete(names, "")
	var list []string
	for m := range names {
		list = append(list, m)
	}
	return list
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "rpctest: child:", err)
	return statusFailed
}

// served is a Child that is a Peer.
type served struct {
	*order
	counts counts
	up     chan struct{} // closed when link is set: a call may come before
	link   *rpcpipe.Peer
}

func (s *served) peer() *rpcpipe.Peer {
	<-s.up
	return s.link
}

// counts count calls.
type counts struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

func newCounts() counts { return counts{of: make(map[string]int)} }

// due counts a call of method, and returns what is to be done at it.
func (c *counts) due(o *order, method string) (due []Misdeed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	c.of[method]++
	for _, m := range o.Misdeeds {
		if m.isDue(method, c.of[method], c.all) {
			due = append(due, m)
		}
	}
	return due
}

// do does what is about the link, or anything else.
func (s *served) do(m Misdeed) {
	switch m.Do {
	case FloodCalls:
		for range 64 {
			go s.flood(func(p *rpcpipe.Peer, text string) error { return p.Call("Flood.Call", text, nil) })
		}
	case FloodNotify:
		go s.flood(func(p *rpcpipe.Peer, text string) error {
			return p.Notify(context.Background(), "Flood.Notify", text)
		})
	case CloseLink:
		s.peer().Close()
	default:
		act(m)
	}
}

// flood calls f until the link has ended.
func (s *served) flood(f func(p *rpcpipe.Peer, text string) error) {
	p, text := s.peer(), strings.Repeat("flood ", 20)
	for p.Err() == nil {
		f(p, text)
	}
}

// answerer has the method that answers calls of one method, or of all others.
type answerer struct {
	*served
	method string
}

// anything is an argument or reply as it crosses. It has no name of its own, or net/rpc would want
// it to be an exported one.
type anything = struct{ raw }

// Answer answers a call.
func (a *answerer) Answer(arg anything, reply *anything) error {
	for _, m := range a.counts.due(a.order, a.method) {
		a.do(m)
	}
	b, err := a.answer(a.method, arg.raw)
	reply.raw = b
	return err
}

// answer returns what a call of method gets.
func (o *order) answer(method string, arg []byte) ([]byte, error) {
	if text, ok := o.Failures[method]; ok {
		return nil, errors.New(text)
	}
	if reply, ok := o.Replies[method]; ok {
		return reply, nil
	}
	return arg, nil
}

// raw is one MessagePack value. It writes and reads itself as such values do.
type raw []byte

// MarshalMsg appends r to b.
func (r raw) MarshalMsg(b []byte) ([]byte, error) {
	if len(r) == 0 {
		return mpack.AppendNil(b), nil
	}
	return append(b, r...), nil
}

// UnmarshalMsg takes all of b, which is one value.
func (r *raw) UnmarshalMsg(b []byte) ([]byte, error) {
	*r = append((*r)[:0], b...)
	return nil, nil
}
