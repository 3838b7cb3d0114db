package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
)

// NoChildError is what a call of a [Supervisor] or a [Pool] fails with that no child was there for.
// It Is [viaduct.ErrNotBegun]. As a [*procspawn.Exit] it says how the latest child has ended. It Is
// what Err is, but for the ends of contexts, and Is [rpc.ErrShutdown] if no child will come any
// more.
type NoChildError struct {
	Name    string          // SuperviseOptions.Name
	Waited  time.Duration   // how long the call has waited for a child
	Context error           // ctx.Err() if it was the call's context that has ended the wait
	Final   bool            // no child will come any more
	Err     error           // why none is up: the latest end, or why the Supervisor has given up
	Exit    *procspawn.Exit // of the latest child that has ended, if it had a process
}

func (e *NoChildError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "rpcpipe: %s: no child is up", e.Name)
	switch {
	case e.Final:
		text.WriteString(", and none will be started")
	case e.Context != nil:
		fmt.Fprintf(&text, ", waited for one for %v: %v", e.Waited, e.Context)
	default:
		fmt.Fprintf(&text, ", waited for one for %v (SuperviseOptions.MaxWait)", e.Waited)
	}
	if e.Err != nil {
		fmt.Fprintf(&text, ": %v", e.Err)
	}
	return text.String()
}

func (e *NoChildError) Is(target error) bool {
	return target == viaduct.ErrNotBegun || e.Final && target == rpc.ErrShutdown
}

// Unwrap returns Context, Err and Exit. A child that could not be started in time had a context of
// its own, and one that was not ready may have had its link end: that the call's context has ended,
// or the Supervisor, is not for Err to say.
func (e *NoChildError) Unwrap() (list []error) {
	if e.Context != nil {
		list = append(list, e.Context)
	}
	if e.Err != nil {
		list = append(list, &hiding{e.Err, []error{context.Canceled, context.DeadlineExceeded, rpc.ErrShutdown}})
	}
	if e.Exit != nil {
		list = append(list, e.Exit)
	}
	return list
}

// hiding is all that err is, but for some.
type hiding struct {
	err    error
	hidden []error
}

func (e *hiding) Error() string { return e.err.Error() }

func (e *hiding) Is(target error) bool {
	return !slices.Contains(e.hidden, target) && errors.Is(e.err, target)
}

func (e *hiding) As(target any) bool { return errors.As(e.err, target) }

// noChild says why there is no child to call.
func (s *Supervisor) noChild(ended error, waited time.Duration) *NoChildError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &NoChildError{
		Name: s.opts.Name, Waited: waited, Context: ended,
		Final: s.state.final(), Err: s.why, Exit: s.incarnation.Last,
	}
}
