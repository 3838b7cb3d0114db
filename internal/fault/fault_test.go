package fault_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/fault"
)

func TestDownError(t *testing.T) {
	for _, err := range []error{
		nil, rpc.ErrShutdown, os.ErrClosed, net.ErrClosed, io.ErrClosedPipe, duplex.ErrClosed,
		&os.PathError{Op: "read", Path: "|0", Err: os.ErrClosed}, &net.OpError{Op: "read", Err: net.ErrClosed},
	} {
		require.Equal(t, rpc.ErrShutdown, fault.Down(err), "%v", err)
	}
	for _, tt := range []struct{ err, cause error }{
		{io.EOF, io.ErrUnexpectedEOF},
		{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		{duplex.ErrPeerClosed, duplex.ErrPeerClosed},
		{fmt.Errorf("%w, then %w", duplex.ErrPeerClosed, os.ErrClosed), duplex.ErrPeerClosed},
		{&fault.DownError{Err: io.ErrNoProgress}, io.ErrNoProgress},
		{&fault.ProtocolError{Reason: "x"}, &fault.ProtocolError{Reason: "x"}},
	} {
		err := fault.Down(tt.err)
		var down, within *fault.DownError
		require.ErrorAs(t, err, &down)
		require.False(t, errors.As(down.Err, &within), "once is enough")
		require.ErrorIs(t, err, rpc.ErrShutdown)
		if perr := new(fault.ProtocolError); errors.As(tt.cause, &perr) {
			require.ErrorAs(t, err, &perr)
			continue
		}
		require.ErrorIs(t, err, tt.cause)
	}
}
