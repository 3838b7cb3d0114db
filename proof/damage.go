package main

import (
	"fmt"

	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// payload is the part of a session, in bytes from where it begins, that carries the zeros of its long
// message: of it only each step-th byte is tried.
const (
	payloadFrom, payloadTo = 2000, 33_000
	payloadStep            = 499
)

// length returns how many bytes and frames a session has in a direction.
func length(t *trials, toB bool) (bytes, frames int64) {
	for _, at := range []func(int64) rpctest.Point{rpctest.Byte, rpctest.Frame} {
		n := int64(0)
		for step := int64(1 << 17); step > 0; step /= 2 { // the last point at which something happens
			link := linkOptions(toB, rpctest.Duplicate(at(n+step)))
			if happened(hold(t, link, "a session")) {
				n += step
			}
		}
		if bytes == 0 {
			bytes = n
		} else {
			frames = n
		}
	}
	return bytes, frames
}

func linkOptions(toB bool, faults ...rpctest.Fault) *rpctest.LinkOptions {
	if toB {
		return &rpctest.LinkOptions{AToB: faults}
	}
	return &rpctest.LinkOptions{BToA: faults}
}

// withSums is a campaign whose sessions have checksums.
func withSums(run func(*trials)) func(*trials) {
	return func(t *trials) {
		t.sums = true
		run(t)
	}
}

func happened(s *session) bool { return len(s.link.Happened()) > 0 }

var directions = map[bool]string{true: "from caller to callee", false: "from callee to caller"}

// try runs a session with a fault.
func try(t *trials, opts *rpctest.LinkOptions, what string) {
	before := rpctest.TakeCensus()
	s := hold(t, opts, what)
	t.figures["right answers"] += s.answers
	t.figures["errors"] += s.errors
	if s.unsaid > 0 {
		t.figures["calls that their deadline ended"] += s.unsaid
	}
	if s.wrong > 0 && t.sums {
		t.found("wrong answer", "%s: %d answers are not what was asked for", what, s.wrong)
	} else if s.wrong > 0 {
		t.figures["answers that were damaged"] += s.wrong
	}
	if n := s.checksums.Load(); n > 0 {
		t.figures["links that a checksum has ended"] += int(n)
	}
	if happened(s) {
		t.figures["faults that happened"]++
	}
	for _, left := range before.Left() {
		t.found("left behind", "%s: %s", what, left)
	}
	t.next()
}

// places are the bytes that are tried.
func places(bytes int64) (list []int64) {
	for n := int64(0); n < bytes; n++ {
		if n > payloadFrom && n < payloadTo && n%payloadStep != 0 {
			continue
		}
		list = append(list, n)
	}
	return list
}

// placesOf are those of both directions.
func placesOf(t *trials) (toB, toA []int64) {
	b, _ := length(t, true)
	a, _ := length(t, false)
	return places(b), places(a)
}

// cutAll ends a session at each byte.
func cutAll(t *trials) {
	toB, toA := placesOf(t)
	for _, i := range t.sample(len(toB) + len(toA)) {
		f, isToB := rpctest.Fault{}, i < len(toB)
		if isToB {
			f = rpctest.Cut(rpctest.Byte(toB[i]))
		} else {
			f = rpctest.Cut(rpctest.Byte(toA[i-len(toB)]))
		}
		try(t, linkOptions(isToB, f), fmt.Sprintf("%s: %v", directions[isToB], f))
	}
}

// flipAll turns over one bit of a session.
func flipAll(t *trials) {
	toB, toA := placesOf(t)
	for i := range t.trials {
		r := t.random(i)
		of, isToB := toA, r.IntN(2) == 0
		if isToB {
			of = toB
		}
		f := rpctest.Corrupt(rpctest.Byte(of[r.IntN(len(of))]))
		opts := linkOptions(isToB, f)
		opts.Seed = r.Uint64()
		try(t, opts, fmt.Sprintf("%s: %v", directions[isToB], f))
	}
}

// framesAll loses, doubles, damages and holds back each frame, and ends the session there.
func framesAll(t *trials) {
	type trial struct {
		toB bool
		f   rpctest.Fault
	}
	var all []trial
	for _, toB := range []bool{true, false} {
		_, frames := length(t, toB)
		for n := range frames + 1 {
			for _, kind := range []func(rpctest.Point) rpctest.Fault{rpctest.Drop, rpctest.Duplicate, rpctest.Corrupt, rpctest.Stall, rpctest.Cut} {
				all = append(all, trial{toB, kind(rpctest.Frame(n))})
			}
		}
	}
	for _, i := range t.sample(len(all)) {
		try(t, linkOptions(all[i].toB, all[i].f), fmt.Sprintf("%s: %v", directions[all[i].toB], all[i].f))
	}
}
