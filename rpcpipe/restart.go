package rpcpipe

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
)

// Restart says when a child of a [Supervisor] that has ended is followed by another. Zero fields
// mean the defaults.
//
// Some ends are final, as the next child would end the same way: the program is not there or may not
// be executed, or it was refused, or refuses, when it said hello (because of Options.NeedName,
// MinVersion, MaxVersion or Encoding, or as it is no viaduct), or the command function has returned
// no Cmd that could be started. All others, be it a crash, a start that takes too long or an error
// of the command function, count alike.
type Restart struct {
	// Min is the time from the end of a child to the next start. It doubles with each child that
	// ends, up to Max. Each time up to a quarter of it, at random, is left out, so that many
	// Supervisors do not start their children at the same moment. Defaults: 100 ms, and 30 s.
	Min, Max time.Duration

	// Reset is how long a child has to be up for the time to begin with Min again. Default: 1 min.
	Reset time.Duration

	// Limit is how many restarts there may be Within a time. When there would be more the
	// Supervisor gives up, with a [*RestartLimitError]. A [Supervisor.Swap] begins the count, and
	// the time until the next start, anew. Defaults: 10 restarts within 5 min; math.MaxInt for as
	// many as it takes.
	Limit  int
	Within time.Duration

	// OnSuccess restarts a child also when it has exited by itself with status 0. Default: that is
	// the end of the Supervisor, too.
	OnSuccess bool
}

// restartLimit is the default of Restart.Limit.
const restartLimit = 10

// keptEnds is how many ends a RestartLimitError has at most.
const keptEnds = 10

// restarts decides when the next child is started. It is guarded by the mutex of its Supervisor.
type restarts struct {
	Restart
	wait time.Duration // until the next start, before its random part; 0: Min
	at   []time.Time   // of the latest restarts, unless there is no limit
	ends []error       // why there were any, the latest last
}

// next returns how long to wait for the next start, after a child that was up for so long has ended
// with an error. The error is a *RestartLimitError.
func (r *restarts) next(up time.Duration, end error) (time.Duration, error) {
	now := time.Now()
	if r.ends = append(r.ends, end); len(r.ends) > keptEnds {
		r.ends = slices.Delete(r.ends, 0, 1)
	}
	r.at = slices.DeleteFunc(r.at, func(t time.Time) bool { return now.Sub(t) >= r.Within })
	if len(r.at) >= r.Limit {
		return 0, &RestartLimitError{Limit: r.Limit, Within: r.Within, Ends: slices.Clone(r.ends)}
	}
	if r.Limit < math.MaxInt {
		r.at = append(r.at, now)
	}
	if up >= r.Reset {
		r.wait = 0
	}
	r.wait = max(r.wait, r.Min)
	wait := r.wait - rand.N(r.wait/4+1)
	r.wait = min(r.wait, r.Max/2) * 2 // in this order: Max may be the largest there is
	return wait, nil
}

// forget has it begin anew.
func (r *restarts) forget() { r.wait, r.at, r.ends = 0, nil, nil }

// RestartLimitError is why a [Supervisor] has given up: its children have ended too often.
type RestartLimitError struct {
	Limit  int           // Restart.Limit: restarts that there may be
	Within time.Duration // Restart.Within
	Ends   []error       // of the latest children, the last one last; at most 10
}

func (e *RestartLimitError) Error() string {
	var list strings.Builder
	for _, end := range e.Ends {
		fmt.Fprintf(&list, "\n\t%v", end)
	}
	return fmt.Sprintf("rpcpipe: gave up after %d restarts within %v (Restart.Limit, Within); the latest children have ended so:%s",
		e.Limit, e.Within, list.String())
}

// Unwrap returns the Ends, the last one first.
func (e *RestartLimitError) Unwrap() []error {
	ends := slices.Clone(e.Ends)
	slices.Reverse(ends)
	return ends
}

// A commandError reports a command function that does not do what it is for. To call it again is of
// no use.
type commandError struct{ what string }

func (e *commandError) Error() string {
	return fmt.Sprintf("the command function returned %s: a new *exec.Cmd that was not started was expected", e.what)
}

// isFinal reports whether a child that could not be started because of err would fail in the same
// way again. err is that of the start itself.
func isFinal(err error) bool {
	var start *procspawn.StartError
	if !errors.As(err, &start) { // the system has not started it
		return errors.As(err, new(*commandError)) || errors.Is(err, errors.ErrUnsupported) ||
			errors.Is(err, procspawn.ErrUnconnected) || errors.Is(err, exec.ErrNotFound) ||
			errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	}
	return errors.As(start.Err, new(*procspawn.AppError)) || errors.As(start.Err, new(*procspawn.VersionError)) ||
		errors.As(start.Err, new(*procspawn.EncodingError)) || errors.As(start.Err, new(*procspawn.MagicError)) ||
		errors.As(start.Err, new(*procspawn.EchoError)) || errors.Is(start.Err, ErrNoChecksum)
}
