package rpcpipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// behaviours are what any Peer does, whatever it runs on. They do not use
// testing.T, so that a child can run them, too.
var behaviours = map[string]func(p *rpcpipe.Peer) error{
	"call": func(p *rpcpipe.Peer) error {
		var sum int
		if err := p.Call("Service.Add", &Args{20, 22}, &sum); err != nil || sum != 42 {
			return fmt.Errorf("20 + 22 = %d, %v", sum, err)
		}
		return nil
	},
	"handler error": func(p *rpcpipe.Peer) error {
		var reply int
		return expect(p.Call("Service.Fail", "no luck", &reply), rpc.ServerError("no luck"))
	},
	"unknown method": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Service.Nope", 1, nil), "can't find method Service.Nope")
	},
	"unknown service": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Nobody.Add", 1, nil), "can't find service Nobody.Add")
	},
	"no method name": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("", 1, nil), "ill-formed")
	},
	"wrong argument kind": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Service.Add", "text", nil), "type")
	},
	"wrong argument struct": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Service.Add", struct{ X, Y int }{1, 2}, nil), "type")
	},
	"wrong reply type": func(p *rpcpipe.Peer) error {
		var reply []string
		err := p.Call("Service.Add", Args{1, 2}, &reply)
		var body *viaduct.BodyError
		if !errors.As(err, &body) {
			return fmt.Errorf("got %v, expected a BodyError", err)
		}
		return expectText(err, "type")
	},
	"unencodable argument": func(p *rpcpipe.Peer) error {
		var body *viaduct.BodyError
		if err := p.Call("Service.Add", make(chan int), nil); !errors.As(err, &body) {
			return fmt.Errorf("got %v, expected a BodyError", err)
		}
		return nil
	},
	"unencodable reply": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Service.Unencodable", 1, nil), "cannot encode reply of Service.Unencodable")
	},
	"argument over the limit": func(p *rpcpipe.Peer) error {
		err := p.Call("Service.Echo", make([]byte, maxMessage), nil)
		var size *viaduct.SizeError
		if !errors.As(err, &size) || size.Limit != maxMessage || size.Size <= maxMessage {
			return fmt.Errorf("got %v, expected a SizeError", err)
		}
		return expectText(err, fmt.Sprint(maxMessage))
	},
	"reply over the limit": func(p *rpcpipe.Peer) error {
		return expectText(p.Call("Service.Sized", maxMessage, nil), fmt.Sprintf("limit of %d", maxMessage))
	},
	"large message": func(p *rpcpipe.Peer) error {
		for _, n := range []int{0, 1, 32 << 10, 64<<10 + 1, maxMessage - 64} {
			sent := bytes.Repeat([]byte{byte(n), 1, 2}, n/3+1)[:n]
			var got []byte
			if err := p.Call("Service.Echo", sent, &got); err != nil || !bytes.Equal(sent, got) {
				return fmt.Errorf("%d bytes came back as %d, %v", n, len(got), err)
			}
		}
		return nil
	},
	"nested calls": func(p *rpcpipe.Peer) error {
		var depth int
		if err := p.Call("Service.Nest", 8, &depth); err != nil || depth != 8 {
			return fmt.Errorf("depth %d, %v", depth, err)
		}
		return nil
	},
	"go": func(p *rpcpipe.Peer) error {
		done := make(chan *rpc.Call, 100)
		var sums [100]int
		for i := range sums {
			p.Go("Service.Add", Args{i, i}, &sums[i], done)
		}
		for range sums {
			if call := <-done; call.Error != nil {
				return call.Error
			}
		}
		for i, sum := range sums {
			if sum != 2*i {
				return fmt.Errorf("%d + %d = %d", i, i, sum)
			}
		}
		return nil
	},
	"standard client": func(p *rpcpipe.Peer) error {
		c := p.Client()
		var sum int
		if err := c.Call("Service.Add", Args{1, 2}, &sum); err != nil || sum != 3 {
			return fmt.Errorf("1 + 2 = %d, %v", sum, err)
		}
		if err := expect(c.Call("Service.Fail", "no luck", &sum), rpc.ServerError("no luck")); err != nil {
			return err
		}
		if err := closeStream(c.Close); err != nil {
			return err
		}
		if err := expect(c.Call("Service.Add", Args{1, 2}, &sum), rpc.ErrShutdown); err != nil {
			return err
		}
		return p.Call("Service.Add", Args{1, 2}, &sum) // the link goes on
	},
	"notes in order": func(p *rpcpipe.Peer) error {
		ctx := context.Background()
		var expected []int
		for i := range 200 {
			expected = append(expected, i)
			if err := p.Notify(ctx, "Service.Note", i); err != nil {
				return err
			}
			if i%50 == 0 { // large ones do not fall behind
				expected = append(expected, 1<<20+i)
				if err := p.Notify(ctx, "Service.BigNote", make([]byte, 1<<20+i)); err != nil {
					return err
				}
			}
		}
		var got []int
		if err := p.Call("Service.Notes", len(expected), &got); err != nil {
			return err
		}
		if !slices.Equal(got, expected) {
			return fmt.Errorf("order of notes: %v", got)
		}
		return nil
	},
	"many callers": func(p *rpcpipe.Peer) error {
		var calls sync.WaitGroup
		failed := make(chan error, 64)
		for i := range cap(failed) {
			calls.Go(func() {
				for j := range 20 {
					var sum int
					if err := p.Call("Service.Add", Args{i, j}, &sum); err != nil || sum != i+j {
						failed <- fmt.Errorf("%d + %d = %d, %v", i, j, sum, err)
						return
					}
				}
			})
		}
		calls.Wait()
		close(failed)
		return <-failed
	},
}

func expect(got, want error) error {
	if got != want {
		return fmt.Errorf("error is %v (%T), expected %v", got, got, want)
	}
	return nil
}

func expectText(got error, want string) error {
	if got == nil || !strings.Contains(got.Error(), want) {
		return fmt.Errorf("error is %v, expected %q in it", got, want)
	}
	return nil
}

// links are the kinds of link that everything must work on. Each returns a
// peer whose other side serves a Service of its own.
var links = map[string]func(t testing.TB, here *Service) *rpcpipe.Peer{
	"memory": func(t testing.TB, here *Service) *rpcpipe.Peer {
		there := newService()
		a, b := rpcpipe.Pair(here.options(), there.options())
		there.use(b)
		t.Cleanup(func() { b.Wait() })
		return a
	},
	"pipes": func(t testing.TB, here *Service) *rpcpipe.Peer {
		there := newService()
		one, other := pipes(t)
		ready := make(chan *rpcpipe.Peer)
		go func() {
			b, err := rpcpipe.New(context.Background(), other, there.options())
			if err == nil {
				there.use(b)
			}
			ready <- b
		}()
		a, err := rpcpipe.New(t.Context(), one, here.options())
		require.NoError(t, err)
		b := <-ready
		require.NotNil(t, b)
		t.Cleanup(func() { b.Wait() })
		return a
	},
	"child": func(t testing.TB, here *Service) *rpcpipe.Peer {
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), here.options())
		require.NoError(t, err)
		return p
	},
	"standard input and output": func(t testing.TB, here *Service) *rpcpipe.Peer {
		opts := here.options()
		opts.Stdio = true
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), opts)
		require.NoError(t, err)
		return p
	},
}

type pipePair struct{ r, w *os.File }

func (p pipePair) Read(b []byte) (int, error)  { return p.r.Read(b) }
func (p pipePair) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p pipePair) Close() error                { return errors.Join(p.w.Close(), p.r.Close()) }

func pipes(t testing.TB) (one, other pipePair) {
	var err error
	one.r, other.w, err = os.Pipe()
	require.NoError(t, err)
	other.r, one.w, err = os.Pipe()
	require.NoError(t, err)
	return one, other
}

func TestBehaviours(t *testing.T) {
	t.Parallel() // beside those that wait
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			for name, behave := range behaviours {
				t.Run(name, func(t *testing.T) {
					require.NoError(t, behave(p))
				})
				t.Run(name+", roles swapped", func(t *testing.T) {
					failure := ""
					require.NoError(t, p.Call("Service.Run", name, &failure))
					require.Empty(t, failure)
				})
			}
			t.Run("all at once, both ways", func(t *testing.T) {
				allAtOnce(t, p)
			})
			require.NoError(t, p.Close())
			require.NoError(t, p.Wait())
		})
	}
}

func allAtOnce(t *testing.T, p *rpcpipe.Peer) {
	var running sync.WaitGroup
	for name, behave := range behaviours {
		if strings.HasPrefix(name, "notes") {
			continue // one order of notes for each side
		}
		running.Go(func() {
			if err := behave(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		running.Go(func() {
			failure := ""
			if err := p.Call("Service.Run", name, &failure); err != nil || failure != "" {
				t.Errorf("%s, roles swapped: %v %s", name, err, failure)
			}
		})
	}
	running.Wait()
}
