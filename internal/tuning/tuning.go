// Package tuning has a switch for each thing that is done for speed alone. None of them changes what
// is promised: the tests pass with each of them on and off, and with all of them off, which the build
// tag viaduct_plain does:
//
//	go test -tags viaduct_plain ./...
//
// A test may turn one off, before there is a link.
package tuning

// The switches, all on unless the build tag says otherwise.
var (
	// Spin has who reads a pipe look for more a short while before it parks.
	Spin = !plain

	// Chain has a worker that has taken a job wake the next, rather than each job one of its own.
	Chain = !plain

	// Direct has the reader of a link hand over a message for which nothing waits, without a queue.
	Direct = !plain

	// Gather has who sends while others do leave its message to the goroutine that writes, which takes
	// all that is there at once.
	Gather = !plain

	// Eager has messages of some frames sent without a grant, where the other side knows of that.
	Eager = !plain

	// LargeBuffers has the buffers that large messages are encoded into kept.
	LargeBuffers = !plain

	// Reuse has the records of calls, and of what waits, used again.
	Reuse = !plain

	// Capacity has a pipe hold more while nothing small is sent through it.
	Capacity = !plain
)
