package procspawn

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestExitError(t *testing.T) {
	tests := []struct {
		exit Exit
		want string
	}{
		{Exit{Pid: 123}, "child 123 exited: exit status 0"},
		{Exit{Pid: 123, Code: 2, Stderr: []byte("one\ntwo\n\n")}, "child 123 exited: exit status 2; stderr: one / two"},
		{Exit{Pid: 123, Code: -1, Signal: os.Kill}, "child 123: signal: killed"},
		{Exit{Pid: 123, Code: -1, Signal: os.Kill, Step: StepKill, By: ByStop}, "child 123: signal: killed (stopped by: kill)"},
		{Exit{Pid: 123, Code: -1, Signal: os.Kill, OutOfMemory: true, By: BySignal, Stderr: []byte("x")}, "child 123: signal: killed (out of memory); stderr: x"},
		{Exit{Pid: 123, Code: -1, Signal: os.Kill, Cause: context.Canceled}, "child 123: signal: killed (context canceled)"},
		{Exit{Pid: 123, Code: -1, Signal: os.Kill, By: ByContext}, "child 123: signal: killed (the context of its command ended)"},
		{Exit{Pid: 123, Code: 1, Step: StepShutdown, By: ByStop}, "child 123 exited: exit status 1 (stopped by: shutdown)"},
		{Exit{Pid: 123, Code: 2, Crash: []byte("panic: a\n\tpanic: b\n\ngoroutine 1 [running]:\n"), Stderr: []byte("x")}, "child 123 exited: exit status 2; crash: panic: b"},
		{Exit{Pid: 123, Pending: []PendingCall{{"A.B", 1234567 * time.Microsecond}}}, "child 123 exited: exit status 0 (does its main wait, by Peer.Wait, before it returns?); pending: A.B for 1.235s"},
		{Exit{Pid: 123, Pending: []PendingCall{{"A.B\n", time.Second}, {}, {}}, Stderr: []byte("x")}, "child 123 exited: exit status 0 (does its main wait, by Peer.Wait, before it returns?); pending: A.B\uFFFD for 1s and 2 more; stderr: x"},
		{Exit{Pid: 123, Code: -1}, "child 123 ended: its exit status is not known"},
		{Exit{Pid: 77, Parent: true, Code: -1}, "parent 77 is gone"},
		{Exit{Pid: 77, Parent: true, Code: -1, Step: StepCloseLink}, "parent 77 has closed the link"},
	}
	for _, tt := range tests {
		assert.EqualError(t, &tt.exit, tt.want)
	}
}

func TestEndedBy(t *testing.T) {
	for _, tt := range []struct {
		exit      Exit
		cancelled bool
		want      By
	}{
		{Exit{}, false, ByItself},
		{Exit{Crash: []byte("panic: x")}, false, ByItself},
		{Exit{Signal: os.Kill}, false, BySignal},
		{Exit{Signal: os.Kill}, true, ByContext},
		{Exit{}, true, ByContext},
		{Exit{Step: StepShutdown}, false, ByStop},
		{Exit{Step: StepCloseLink, Code: 3}, false, ByStop},
		{Exit{Step: StepCloseLink, Signal: os.Kill}, false, BySignal}, // which we have not sent
		{Exit{Step: StepCloseLink, Signal: os.Kill}, true, ByContext},
		{Exit{Step: StepShutdown, Code: 2, Crash: []byte("panic: x")}, false, ByItself},
		{Exit{Step: StepTerminate, Signal: os.Interrupt}, false, ByStop},
		{Exit{Step: StepKill, Signal: os.Kill}, true, ByStop},
	} {
		assert.Equal(t, tt.want, endedBy(&tt.exit, tt.cancelled), "%+v", tt)
	}
}

func TestStepString(t *testing.T) {
	assert.Equal(t, "none", StepNone.String())
	assert.Equal(t, "shutdown", StepShutdown.String())
	assert.Equal(t, "close link", StepCloseLink.String())
	assert.Equal(t, "terminate", StepTerminate.String())
	assert.Equal(t, "kill", StepKill.String())
	assert.Equal(t, "Step(9)", Step(9).String())
	assert.Equal(t, "no limit", Reached{}.String())
	assert.Equal(t, "itself stop context signal By(9)", fmt.Sprint(ByItself, ByStop, ByContext, BySignal, By(9)))
}
