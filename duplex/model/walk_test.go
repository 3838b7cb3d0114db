package model

import (
	"math/rand/v2"
)

// maxSteps is more than any walk takes: the states have no cycle.
const maxSteps = 5000

// walk goes through md at random until nobody can do anything or it finds a
// fault. Some actors are much slower than others, which ones is random, too.
func walk(md *model, rnd *rand.Rand) found {
	var slow [numActions][2]int
	for i := range slow {
		for x := range slow[i] {
			slow[i][x] = 1 << (3 * rnd.IntN(4))
		}
	}
	s := md.start()
	f := found{}
	var list []action
	for f.states = 1; f.states < maxSteps; f.states++ {
		if f.fault = md.invariant(&s); f.fault != "" {
			return f
		}
		if list = md.actions(&s, list[:0]); len(list) == 0 {
			f.fault = md.unfinished(&s)
			return f
		}
		sum := 0
		for _, a := range list {
			sum += slow[a.kind][a.x]
		}
		n, i := rnd.IntN(sum), 0
		for ; n >= slow[list[i].kind][list[i].x]; i++ {
			n -= slow[list[i].kind][list[i].x]
		}
		f.trace = append(f.trace, list[i])
		if f.fault = md.do(&s, list[i]); f.fault != "" {
			return f
		}
	}
	f.fault = "it goes on for ever"
	return f
}

// enoughEarly is a bound on what is released early that no walk reaches.
const enoughEarly = 100

// maker makes scenarios at random.
type maker struct {
	*rand.Rand
	sc    scenario
	msgs  int
	tells int // of them notifications
}

func (mk *maker) chance(percent int) bool { return mk.IntN(100) < percent }

func (mk *maker) pair(percent int) [2]bool { return [2]bool{mk.chance(percent), mk.chance(percent)} }

func randomScenario(rnd *rand.Rand) scenario {
	mk := &maker{Rand: rnd}
	mk.sc = scenario{
		name: "random", pipe: 1 + mk.IntN(maxPipe), window: 1 + mk.IntN(4), limit: mk.IntN(6), every: 1 + mk.IntN(3), opens: 1 + mk.IntN(2),
		loose: true, numbered: true,
	}
	mk.sc.early = [2]int{mk.IntN(4), mk.IntN(4)}
	if mk.chance(50) {
		mk.sc.early = [2]int{enoughEarly, enoughEarly}
	}
	if mk.chance(70) {
		mk.sc.shut = mk.pair(60)
	}
	ends := mk.sc.shut != [2]bool{}
	if !ends {
		mk.sc.mute = mk.pair(30)
	}
	for range 1 + mk.IntN(maxThreads) {
		on := side(mk.IntN(2))
		var steps []spec
		for range 1 + mk.IntN(3) {
			if p, ok := mk.message(on, 3, handlers{}); ok {
				steps = append(steps, p)
			}
		}
		if len(steps) > 0 {
			mk.sc.work = append(mk.sc.work, thread{on: on, steps: steps})
		}
	}
	for range mk.IntN(maxStreams + 1) {
		mk.sc.streams = append(mk.sc.streams, mk.stream(ends))
	}
	return mk.sc
}

// message makes one that is sent from side x, unless there are enough. below
// says whose notification handler waits for it.
func (mk *maker) message(x side, depth int, below handlers) (spec, bool) {
	p := spec{class: notification, size: mk.size(), cost: 1 + mk.IntN(3), mayBeGivenUp: mk.chance(15)}
	mk.msgs++
	if !mk.mayTell(x, depth, below) || mk.chance(50) {
		p.class, p.reply = call, mk.size()
		mk.msgs++
	} else {
		mk.tells++
		below[x.other()] = true
	}
	if mk.msgs > maxMsgs {
		return p, false
	}
	for mk.chance(20 * depth) {
		if q, ok := mk.message(x.other(), depth-1, below); ok {
			p.does = append(p.does, q)
		}
	}
	return p, true
}

type handlers [2]bool

// mayTell reports whether there is room for another notification, and one from side x closes no
// circle: handlers wait for none that never runs. Where the bound on what is released early may be
// reached, notification handlers of A may wait for that of B, but not the other way round, and none
// for itself.
func (mk *maker) mayTell(x side, depth int, below handlers) bool {
	mayWait := mk.sc.early[A] == enoughEarly || !below[B] && (x == A || !below[A])
	return mk.tells < maxQueue && (depth == 3 || mk.sc.mute == [2]bool{}) && mayWait
}

func (mk *maker) size() int {
	if mk.chance(60) {
		return 1
	}
	return 2 + mk.IntN(3)
}

func (mk *maker) stream(ends bool) stream {
	st := stream{
		opener: side(mk.IntN(2)), units: [2]int{mk.IntN(5), mk.IntN(5)},
		resets: mk.pair(20), mayBeRefused: mk.chance(20), mayBeGivenUp: mk.chance(30), ignored: ends && mk.chance(20),
	}
	for x := range st.reads {
		switch r := mk.IntN(10); {
		case r < 2:
			st.reads[x] = 1 + mk.IntN(2)
		case r < 3:
			st.reads[x] = stopsAtOnce
		case r < 5 && !ends:
			st.reads[x] = readsNothing
		}
	}
	return st
}
