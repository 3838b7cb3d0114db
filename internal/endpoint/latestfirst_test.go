package endpoint

import (
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

type latestService struct{ gates chan chan struct{} }

func (l latestService) Pass(_ int, _ *int) error {
	gate := make(chan struct{})
	l.gates <- gate
	<-gate
	return nil
}

// TestAnswerWaitsForOwnCalls: an answer is not sent before the calls since its
// request are answered, as one of them may bring a request that has to be answered first.
func TestAnswerWaitsForOwnCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := latestService{make(chan chan struct{}, 1)}
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("L", l))
		x, y := net.Pipe()
		e := NewEndpoint(x, nil, &Options{Server: server, AnswerLatestFirst: true})
		defer e.Close()
		var got []byte // read from e
		go func() {
			for b := make([]byte, 1000); ; {
				n, err := y.Read(b)
				if err != nil {
					return
				}
				got = append(got, b[:n]...)
			}
		}()
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			require.Equal(t, want, string(got))
			got = nil
		}
		write := func(s string) {
			_, err := y.Write([]byte(s))
			require.NoError(t, err)
		}
		const done = "\x94\x01\xce\x00\x00\x00"

		e.Go("P.Before", 1, nil, nil)
		expect("\x94\x00\xce\x00\x00\x00\x00\xa8P.Before\x91\x01")
		write("\x94\x00\x07\xa6L.Pass\x91\x01")
		first := <-l.gates
		e.Go("P.Since", 1, nil, nil)
		expect("\x94\x00\xce\x00\x00\x00\x01\xa7P.Since\x91\x01")
		close(first)
		expect("")
		e.Go("P.Later", 1, nil, nil) // is not waited for, until it brings a request
		expect("\x94\x00\xce\x00\x00\x00\x02\xa7P.Later\x91\x01")
		write("\x94\x00\x08\xa6L.Pass\x91\x01")
		second := <-l.gates
		write("\x94\x01\x01\xc0\xc0") // P.Since is answered
		expect("")
		close(second) // P.Later is not for it: it was made before
		expect(done + "\x08\xc0\x00")
		write("\x94\x01\x02\xc0\xc0")
		expect(done + "\x07\xc0\x00")
		write("\x94\x01\x00\xc0\xc0")
	})
}
