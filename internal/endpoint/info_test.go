package endpoint

import (
	"context"
	"encoding/hex"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Keeper keeps the context of a call.
type Keeper struct{ kept chan context.Context }

type KeptArg struct{ ctx context.Context }

func (a *KeptArg) SetContext(ctx context.Context) { a.ctx = ctx }

func (k *Keeper) Keep(a *KeptArg, _ *int) error {
	k.kept <- a.ctx
	return nil
}

// TestInfoOfContext: what a context says of the calls made with it goes with them, and with
// notifications what is not about their end.
func TestInfoOfContext(t *testing.T) {
	k := &Keeper{make(chan context.Context, 1)}
	server := rpc.NewServer()
	require.NoError(t, server.Register(k))
	a, b := barePair(nil, &Options{Server: server, Extended: true})
	defer a.Close()
	defer b.Close()
	require.NoError(t, a.Call("Keeper.Keep", struct{}{}, nil))
	within := WithMetadata(<-k.kept, map[string]string{"k": "v"})
	past, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Hour))
	defer cancel()
	for _, tt := range []struct {
		name           string
		e              *Endpoint
		ctx            context.Context
		isNotification bool
		want           string
	}{
		{"nested", b, within, false, "94" + "82a677697468696e00" + "a46d65746181a16ba176"},
		{"notification", b, within, true, "94" + "81a46d65746181a16ba176"},
		{"deadline", b, past, false, "94" + "81a774696d656f757401"},
		{"deadline of a notification", b, past, true, "93"},
		{"nothing", b, context.Background(), false, "93"},
		{"to others", a, past, false, "93"},
	} {
		msg, err := tt.e.appendInfo([]byte{0x93}, tt.ctx, tt.isNotification, "A.B", nil)
		require.NoError(t, err)
		require.Equal(t, tt.want, hex.EncodeToString(msg), tt.name)
	}
	_, err := a.appendInfo([]byte{0x93}, within, false, "A.B", nil)
	require.ErrorContains(t, err, "takes no metadata")
}
