package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// What a lie may cost at most whoever is lied to, with the options of preyOptions, what the calls of an
// honest child take meanwhile included. 64 MiB of notifications may wait for their turn, and garbage
// counts as well.
const (
	mostHeap = 192 << 20
	mostCPU  = 2 * time.Second
)

// mischief is what a child of package rpctest can do wrong.
func mischief() (list []rpctest.Misdeed) {
	whens := map[rpctest.Act][]rpctest.When{
		rpctest.LieJunk:     {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.LieVersion:  {rpctest.AtStart},
		rpctest.LieFrame:    {rpctest.AtHello, rpctest.OnCall},
		rpctest.LieLength:   {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.LieReply:    {rpctest.AtHello, rpctest.OnCall},
		rpctest.LieBody:     {rpctest.OnCall},
		rpctest.LieTwice:    {rpctest.OnCall},
		rpctest.Exit:        {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.Panic:       {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.Kill:        {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.Stop:        {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall},
		rpctest.Hang:        {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall, rpctest.AtEnd},
		rpctest.FloodCalls:  {rpctest.AtHello, rpctest.OnCall},
		rpctest.FloodNotify: {rpctest.AtHello, rpctest.OnCall},
		rpctest.FloodStderr: {rpctest.AtStart, rpctest.AtHello, rpctest.OnCall, rpctest.AtEnd},
		rpctest.CloseLink:   {rpctest.AtHello, rpctest.OnCall},
	}
	for _, do := range []rpctest.Act{
		rpctest.LieJunk, rpctest.LieVersion, rpctest.LieFrame, rpctest.LieLength, rpctest.LieReply, rpctest.LieBody, rpctest.LieTwice,
		rpctest.Exit, rpctest.Panic, rpctest.Kill, rpctest.Stop, rpctest.Hang, rpctest.FloodCalls, rpctest.FloodNotify,
		rpctest.FloodStderr, rpctest.CloseLink,
	} {
		for _, when := range whens[do] {
			list = append(list, rpctest.Misdeed{Do: do, When: when})
		}
	}
	return list
}

// ordeals are all lies that there are.
func ordeals() (list []ordeal) {
	for i, l := range allLies() {
		list = append(list, ordeal{l.group, l.name, l.want, Ordeal{Lie: i}})
	}
	for _, m := range mischief() {
		list = append(list, ordeal{"misdeeds", strings.TrimSpace(fmt.Sprintf("%s %s", m.Do, m.When)), 0, Ordeal{Misdeed: &m}})
	}
	return list
}

// ordeal is one trial.
type ordeal struct {
	group, name string
	want        outcome
	order       Ordeal
}

// liesAll has one victim suffer one lie after the other.
func liesAll(t *trials) {
	before := rpctest.TakeCensus()
	c := &liesCampaign{trials: t}
	defer func() {
		c.close()
		for _, left := range before.Left() {
			t.found("left behind", "%s", left)
		}
	}()
	if !c.start() {
		return
	}
	all := ordeals()
	for _, i := range t.sample(len(all)) {
		if !c.suffer(all[i]) {
			return
		}
		t.next()
	}
	c.table.summary(t)
}

// liesCampaign is the campaign under way.
type liesCampaign struct {
	*trials
	victim *rpcpipe.Peer
	table  lieTable
}

// start starts a victim. It reports whether there is one.
func (c *liesCampaign) start() bool {
	p, err := rpcpipe.Start(context.Background(), procspawn.Self("victim"), options())
	if err != nil {
		c.found("unknown error", "start: %v", err)
		return false
	}
	c.victim = p
	var alone Suffered
	if err := p.Call("Victim.Alone", &Ordeal{}, &alone); err != nil {
		c.found("unknown error", "a victim: %v", err)
		return false
	}
	c.table.alone = append(c.table.alone, alone.Waits...)
	return true
}

func (c *liesCampaign) close() {
	if c.victim != nil {
		c.victim.Close()
		c.victim.Wait()
	}
}

// suffer makes one trial. It reports whether there can be another.
func (c *liesCampaign) suffer(o ordeal) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	var s Suffered
	what := fmt.Sprintf("%s: %s", o.group, o.name)
	err := c.victim.CallContext(ctx, "Victim.Suffer", &o.order, &s)
	switch {
	case ctx.Err() != nil:
		c.found("hang", "%s", what)
	case err != nil:
		c.found("wrong answer", "%s: the victim: %v", what, err)
	}
	if err != nil {
		c.victim.Process().Kill()
		c.close()
		return c.start()
	}
	for _, f := range s.Found {
		c.found(f.Kind, "%s: %s", what, f.Text)
	}
	if o.want != 0 && o.want&s.Outcome == 0 {
		c.found("wrong answer", "%s: %v was expected, and it was %v (%s)", what, o.want, s.Outcome, s.Error)
	}
	if s.Heap > mostHeap {
		c.found("growth", "%s: %.1f MiB of heap", what, mib(uint64(s.Heap)))
	}
	if s.CPU > mostCPU && !raceEnabled {
		c.found("growth", "%s: %v of computing", what, s.CPU)
	}
	c.figures[s.Outcome.String()]++
	if s.Killed {
		c.figures["liars killed in the end"]++
	}
	c.table.add(o, &s)
	return true
}
