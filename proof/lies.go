package main

import (
	"context"
	"fmt"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// mischief is what a child can do wrong that its parent has to survive.
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

// liesAll starts one bad child after another, beside an honest one that is called all the time.
func liesAll(t *trials) {
	before := rpctest.TakeCensus()
	honest, err := rpcpipe.Start(context.Background(), serving(), options())
	if err != nil {
		t.found("unknown error", "start: %v", err)
		return
	}
	go echoStreams(honest)
	l := loadOn(honest, 1, t.seed)
	misdeeds := mischief()
	for _, i := range t.sample(len(misdeeds)) {
		m := misdeeds[i]
		done := make(chan struct{})
		what := fmt.Sprintf("%q %q", m.Do, m.When)
		go func() {
			defer close(done)
			t.suffer(m, what)
		}()
		if !within(t, done, what) {
			return
		}
		if err := honest.Err(); err != nil {
			t.found("wrong answer", "%s: the link to another child has ended: %v", what, err)
			return
		}
		t.next()
	}
	honest.Close()
	finish(t, honest, l, "an honest child")
	for _, left := range before.Left() {
		t.found("left behind", "%s", left)
	}
}

// suffer starts a child that does m, and calls it a few times.
func (t *trials) suffer(m rpctest.Misdeed, what string) {
	const brief = 200 * time.Millisecond
	opts := options()
	opts.HandshakeTimeout, opts.CloseTimeout, opts.TermTimeout = 5*brief, brief, brief
	p, err := rpcpipe.Start(context.Background(), rpctest.Child{Misdeeds: []rpctest.Misdeed{m}}.Command(), opts)
	if err != nil {
		t.figures["children refused"]++
		if !known(err) {
			t.found("unknown error", "%s: start: %v", what, err)
		}
		return
	}
	for i := range 3 {
		var reply Data
		ctx, cancel := context.WithTimeout(context.Background(), brief)
		err := p.CallContext(ctx, "Service.Echo", &Data{N: i}, &reply)
		cancel()
		switch {
		case err != nil:
			t.figures["calls failed"]++
		case reply.N != i:
			t.found("wrong answer", "%s: %d instead of %d", what, reply.N, i)
		default:
			t.figures["calls answered"]++
		}
	}
	p.Close()
	p.Wait()
	if step := p.Process().Exit().Step; step == procspawn.StepKill {
		t.figures["children killed in the end"]++
	}
}
