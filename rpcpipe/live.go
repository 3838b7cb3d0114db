package rpcpipe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/rpc"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/debugpage"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/procspawn"
)

const (
	maxExits = 16       // that are remembered
	maxCrash = 16 << 10 // bytes of the text of each
)

// live are the Peers, Supervisors and Pools of this process that have not ended, for [DebugHandler],
// and how the latest ones have ended.
var live registry

type registry struct {
	mu          sync.Mutex // guards what follows; nothing else is taken with it
	n           int        // how many there were, ever
	peers       labelled[*Peer]
	supervisors labelled[*Supervisor]
	pools       labelled[*Pool]
	exits       []debugpage.Exit // the oldest first
}

// labelled are things by what each is called.
type labelled[T any] map[string]T

// enterLocked enters v and returns what it is called, which is name if no other one is.
func enterLocked[T any](r *registry, l *labelled[T], name string, v T) string {
	if *l == nil {
		*l = make(labelled[T])
	}
	r.n++
	label := name
	for n := r.n; ; n++ { // another one may be called so: names come from the other side
		if _, taken := (*l)[label]; !taken {
			(*l)[label] = v
			return label
		}
		label = fmt.Sprintf("%s#%d", name, n)
	}
}

// list returns them in the order of what they are called.
func (l labelled[T]) list() (list []T) {
	for _, label := range slices.Sorted(maps.Keys(l)) {
		list = append(list, l[label])
	}
	return list
}

func (r *registry) enterPeer(p *Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.began = time.Now()
	p.label = enterLocked(r, &r.peers, cmp.Or(p.opts.supervisor, message.Brief(p.remote.Name), p.kind), p)
}

func (r *registry) leavePeer(p *Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.peers, p.label)
}

func (r *registry) enterSupervisor(s *Supervisor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.label = enterLocked(r, &r.supervisors, s.opts.Name, s)
}

func (r *registry) leaveSupervisor(s *Supervisor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.supervisors, s.label)
}

func (r *registry) enterPool(p *Pool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.label = enterLocked(r, &r.pools, p.opts.Supervise.Name, p)
}

func (r *registry) leavePool(p *Pool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pools, p.label)
}

// exited remembers how p has ended.
func (r *registry) exited(p *Peer) {
	e := debugpage.Exit{
		Peer: p.label, Name: p.remote.Name, Pid: p.remote.Pid, Lifetime: time.Since(p.began).Seconds(),
		Text: "closed on this side",
	}
	reason := p.reason()
	e.Orderly = reason == nil
	switch {
	case p.exit != nil:
		e.Text = p.exit.Error()
		addExit(&e, p.exit)
	case reason != nil:
		e.Text = reason.Error()
	case p.Err() != rpc.ErrShutdown:
		e.Text = p.Err().Error()
	}
	r.remember(e)
}

// notStarted remembers why a child has no Peer.
func (r *registry) notStarted(o *Options, err error) {
	e := debugpage.Exit{Peer: cmp.Or(o.supervisor, "child"), Text: err.Error()}
	var start *procspawn.StartError
	if errors.As(err, &start) && start.Exit != nil {
		addExit(&e, start.Exit)
	}
	r.remember(e)
}

// addExit adds what is known of a process that has ended.
func addExit(e *debugpage.Exit, exit *procspawn.Exit) {
	e.Pid, e.Lifetime = exit.Pid, exit.Lifetime.Seconds()
	e.Crash = string(exit.Crash[:min(len(exit.Crash), maxCrash)])
}

// remember keeps e. If there are too many then the oldest is forgotten that was orderly, if one was.
func (r *registry) remember(e debugpage.Exit) {
	e.Time = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.exits) >= maxExits {
		i := max(0, slices.IndexFunc(r.exits, func(e debugpage.Exit) bool { return e.Orderly }))
		r.exits = slices.Delete(r.exits, i, i+1)
	}
	r.exits = append(r.exits, e)
}

// all returns what there is now. What it returns may end meanwhile.
func (r *registry) all() (peers []*Peer, supervisors []*Supervisor, pools []*Pool, exits []debugpage.Exit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	exits = slices.Clone(r.exits)
	slices.Reverse(exits)
	return r.peers.list(), r.supervisors.list(), r.pools.list(), exits
}
