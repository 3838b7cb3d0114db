// Package protowork does the work of package work with the messages of package wire: what the
// contenders with protocol buffers share.
package protowork

import (
	"context"
	"fmt"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/wire"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// Calls are those that are answered one by one, as the clients that ttrpc and drpc generate have
// them.
type Calls interface {
	Add(context.Context, *wire.Pair) (*wire.Sum, error)
	Echo(context.Context, *wire.Bytes) (*wire.Bytes, error)
	Update(context.Context, *wire.Record) (*wire.Record, error)
	EchoFloats(context.Context, *wire.Floats) (*wire.Floats, error)
	Usage(context.Context, *wire.Want) (*wire.Usage, error)
	CallBack(context.Context, *wire.Drive) (*wire.Count, error)
}

// Client does the work by calls.
type Client struct{ Calls Calls }

// Add is work.Adder's.
func (c Client) Add(a, b int) (int, error) {
	sum, err := c.Calls.Add(context.Background(), &wire.Pair{A: int64(a), B: int64(b)})
	return int(sum.GetC()), err
}

// Echo is work.Echoer's.
func (c Client) Echo(p []byte) ([]byte, error) {
	back, err := c.Calls.Echo(context.Background(), &wire.Bytes{Data: p})
	return back.GetData(), err
}

// Update is work.Updater's.
func (c Client) Update(r work.Record) (work.Record, error) {
	back, err := c.Calls.Update(context.Background(), toWire(r))
	if err != nil {
		return work.Record{}, err
	}
	return fromWire(back), nil
}

// EchoFloats is work.FloatsEchoer's.
func (c Client) EchoFloats(list []float64) ([]float64, error) {
	back, err := c.Calls.EchoFloats(context.Background(), &wire.Floats{List: list})
	return back.GetList(), err
}

// Usage is work.Peer's.
func (c Client) Usage(memory bool) (work.Usage, error) {
	u, err := c.Calls.Usage(context.Background(), &wire.Want{Memory: memory})
	return work.Usage{
		CPU: time.Duration(u.GetCpu()), Heap: u.GetHeap(), Anonymous: u.GetAnonymous(), Proportional: u.GetProportional(),
	}, err
}

// CallBack has the child call its parent. The broker is that of go-plugin.
func (c Client) CallBack(broker uint32, callers int, d time.Duration) (int, error) {
	n, err := c.Calls.CallBack(context.Background(), &wire.Drive{Callers: int64(callers), Duration: int64(d), Broker: broker})
	return int(n.GetN()), err
}

// Stream is the sending side of a stream that is answered once, at its end.
type Stream[M any] interface {
	Send(M) error
	CloseAndRecv() (*wire.Count, error)
}

// Pour is work.Pourer's.
func Pour(s Stream[*wire.Bytes], total, chunk int) error {
	list := work.NewBytes(chunk)
	for left := total; left > 0; left -= chunk {
		if err := s.Send(&wire.Bytes{Data: list[:min(left, chunk)]}); err != nil {
			return err
		}
	}
	return end(s, total)
}

// Notify is work.Notifier's.
func Notify(s Stream[*wire.Pair], n int) error {
	for i := range n {
		if err := s.Send(&wire.Pair{A: int64(i)}); err != nil {
			return err
		}
	}
	return end(s, n)
}

func end[M any](s Stream[M], sent int) error {
	count, err := s.CloseAndRecv()
	if err == nil && int(count.GetN()) != sent {
		err = fmt.Errorf("of %d that were sent %d have arrived", sent, count.GetN())
	}
	return err
}
