package duplex

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// TestEndFromReceiver: a receiver may end the link from within. It is told of the end once, behind that
// message, and gets no other, whether messages are handed over directly or by a queue.
func TestEndFromReceiver(t *testing.T) {
	for _, direct := range []bool{true, false} {
		old := tuning.Direct
		tuning.Direct = direct
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, nil)
			reason := errors.New("enough")
			var got []string
			b.ServerLane().Receive(func(msg []byte, _ bool) bool {
				got = append(got, string(msg))
				if string(msg) == "end" {
					b.ServerLane().Fail(reason)
					got = append(got, "returned")
				}
				return true
			}, func([]byte) {}, func(err error) { got = append(got, err.Error()) })
			for _, msg := range []string{"first", "end", "late"} {
				if a.ClientLane().Send(t.Context(), []byte(msg), false) != nil {
					break // the link has ended
				}
			}
			require.ErrorIs(t, b.Wait(), reason)
			require.Equal(t, []string{"first", "end", "returned", "enough"}, got)
		})
		tuning.Direct = old
	}
}
