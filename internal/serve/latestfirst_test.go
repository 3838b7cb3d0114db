package serve

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/link"
)

// TestAnsweredBeforeItIsKnown: a request may come behind an answer before that
// is known to have been sent. It keeps nothing from being answered.
func TestAnsweredBeforeItIsKnown(t *testing.T) {
	d := New(Config{LatestFirst: true}, Host{Link: new(link.Bare)})
	d.order = []*request{{}, {}}
	answered, later := d.order[1], new(request)
	first := d.order[0]
	d.order = append(d.order, later)
	d.sent(answered)
	require.Len(t, d.order, 2)
	require.Same(t, first, d.order[0])
	require.Same(t, later, d.order[1])
	first.turn = make(chan struct{})
	turn := first.turn
	d.sent(later)
	<-turn
	require.Len(t, d.order, 1)
}
