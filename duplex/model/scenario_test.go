package model

// scenario is what the two sides want to do, and how little room they have.
// Zero means the least.
type scenario struct {
	name    string
	pipe    int    // frames that each pipe holds
	window  int    // credit of each class, and of each direction of a stream
	limit   int    // rests granted and not taken, of each class; at least the largest
	every   int    // a piece after so many messages at least
	opens   int    // streams opened and not answered
	early   [2]int // room of notifications that each side releases before their turn
	work    []thread
	streams []stream
	shut    [2]bool // the side calls Shutdown at some time
	atOnce  bool    // which is before anything else
	mute    [2]bool // its notification handler never runs
	// loose has the writer send the control frames that are due in any order, instead of a fixed
	// one. numbered checks the order of messages by numbers. Both make for more states.
	loose, numbered bool
	// again has the handler of a message, the first, send another once more. modulo is that of the
	// number in idle, 0 for one larger than any, so that what goes on for ever comes back to where
	// it was.
	again  [][2]uint8
	modulo uint8
	// awaits has the handler of a message, the first, end only when who has sent the second has
	// gone on, or, for firstStream and more, when a stream is open and written.
	awaits [][2]uint8
}

// thread does one step after another: a call returns with its reply, a notification
// message when its last frame is in the pipe.
type thread struct {
	on      side
	steps   []spec
	forever bool // again and again, until it is refused
}

func on(s side, steps ...spec) thread { return thread{on: s, steps: steps} }

// spec is a message and what it leads to.
type spec struct {
	class        class
	size         int // in frames
	reply        int // size of the reply to a call
	cost         int // credit that it takes, 1 if not said
	mayBeGivenUp bool
	does         []spec // what its handler sends, one after another
}

func calls(size, reply int, does ...spec) spec {
	return spec{class: call, size: size, reply: reply, does: does}
}

func tells(size int, does ...spec) spec { return spec{class: notification, size: size, does: does} }

func (p spec) orGivesUp() spec {
	p.mayBeGivenUp = true
	return p
}

func (p spec) costs(n int) spec {
	p.cost = n
	return p
}

// stream is a byte stream and what the two sides do with it.
type stream struct {
	opener side
	units  [2]int  // what each side writes before it ends its half
	reads  [2]int  // what each side does with what comes
	resets [2]bool // it may reset the stream at any time
	// The app of the other side may refuse it, or never looks at it; its opener may give up before
	// the answer.
	mayBeRefused, ignored, mayBeGivenUp bool
	// That app accepts, or reads, only when who has sent this message has gone on. 0: at once.
	acceptsBehind, readsBehind uint8
}

// What is done with the data of a stream, besides n, from 1: to read so many units and stop.
const (
	readsAll     = 0
	readsNothing = -1
	stopsAtOnce  = -2
)

// message is a spec with its place among all: its index is its id.
type message struct {
	from         side
	class        class
	size, cost   uint8
	answer       uint8   // of a call: its reply
	steps        []uint8 // what its handler sends
	awaits       []uint8 // what its handler waits for at its end
	mayBeGivenUp bool
}

func (m *message) long() bool  { return m.size > 1 }
func (m *message) rest() uint8 { return m.size - 1 }
func (m *message) room() uint8 { return m.cost + m.rest() }
func (m *message) to() side    { return m.from.other() }

// model is a scenario, flattened, under the rules of the protocol or with one of them broken.
type model struct {
	scenario
	broken  rule
	msgs    []message
	threads [][]uint8
	on      []side
	sends   [2]bool // there is anything that the side sends
}

func newModel(sc scenario, broken rule) *model {
	md := &model{scenario: sc, broken: broken}
	for _, t := range sc.work {
		var steps []uint8
		for _, p := range t.steps {
			steps = append(steps, md.add(t.on, p))
		}
		md.threads, md.on = append(md.threads, steps), append(md.on, t.on)
	}
	for _, a := range sc.again {
		md.msgs[a[0]].steps = append(md.msgs[a[0]].steps, a[1])
	}
	for _, a := range sc.awaits {
		md.msgs[a[0]].awaits = append(md.msgs[a[0]].awaits, a[1])
	}
	if md.modulo == 0 {
		md.modulo = 255
	}
	md.pipe, md.window, md.every, md.opens = max(sc.pipe, 1), max(sc.window, 1), max(sc.every, 1), max(sc.opens, 1)
	for _, m := range md.msgs {
		md.limit = max(md.limit, int(m.rest()))
		md.sends[m.from] = true
	}
	for range md.streams {
		md.sends = [2]bool{true, true}
	}
	if len(md.msgs) > maxMsgs || len(md.threads) > maxThreads || len(md.streams) > maxStreams || md.pipe > maxPipe {
		panic("scenario " + sc.name + " is too large")
	}
	return md
}

func (md *model) add(from side, p spec) uint8 {
	id := len(md.msgs)
	md.msgs = append(md.msgs, message{
		from: from, class: p.class, size: uint8(p.size), cost: uint8(max(p.cost, 1)), mayBeGivenUp: p.mayBeGivenUp,
	})
	for _, q := range p.does {
		step := md.add(from.other(), q)
		md.msgs[id].steps = append(md.msgs[id].steps, step)
	}
	if p.class == call {
		md.msgs[id].answer = md.add(from.other(), spec{class: reply, size: p.reply, cost: p.cost})
	}
	return uint8(id)
}
