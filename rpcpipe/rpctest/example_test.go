package rpctest_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// Host is what is to be tested: it asks a plugin to draw something, and does without if it cannot.
type Host struct{ plugin *rpcpipe.Peer }

func NewHost(ctx context.Context, cmd *exec.Cmd) (*Host, error) {
	p, err := rpcpipe.Start(ctx, cmd, &rpcpipe.Options{CloseTimeout: 100 * time.Millisecond, TermTimeout: 100 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	return &Host{p}, nil
}

func (h *Host) Draw(shape string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var drawing string
	err := h.plugin.CallContext(ctx, "Plugin.Draw", shape, &drawing)
	var exit *procspawn.Exit
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "too slow"
	case errors.As(err, &exit):
		return "the plugin has crashed"
	case err != nil:
		return err.Error()
	}
	return drawing
}

// A host of plugins is tried with one that draws, one that crashes at its second drawing, and one
// that never answers.
func Example() {
	for _, misdeeds := range [][]rpctest.Misdeed{
		nil,
		{{Do: rpctest.Exit, Status: 3, Method: "Plugin.Draw", Call: 2}},
		{{Do: rpctest.Hang, Lasting: true}},
	} {
		plugin := rpctest.Child{Replies: map[string]any{"Plugin.Draw": "( )"}, Misdeeds: misdeeds}
		host, err := NewHost(context.Background(), plugin.Command())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, %s\n", host.Draw("circle"), host.Draw("circle"))
		host.plugin.Close()
	}
	// Output:
	// ( ), ( )
	// ( ), the plugin has crashed
	// too slow, too slow
}

// A call over a link of 2 s each way, which is cut later, in a test that takes no time.
func ExamplePair() {
	test := func(t *testing.T) {
		rpctest.NoneLeft(t)
		synctest.Test(t, func(t *testing.T) {
			link := rpctest.NewLink(&rpctest.LinkOptions{
				AToB: []rpctest.Fault{rpctest.Delay(2*time.Second, 2*time.Second)},
				BToA: []rpctest.Fault{rpctest.Delay(2*time.Second, 2*time.Second)},
			})
			a, _ := rpctest.Pair(t, link, nil, echoServer())
			begin := time.Now()
			var reply string
			if err := a.Call("Echo.Say", "hello", &reply); err != nil || time.Since(begin) != 4*time.Second {
				t.Errorf("%v after %v", err, time.Since(begin))
			}
			link.Cut()
			if err := a.Call("Echo.Say", "hello", &reply); err == nil {
				t.Error("the link is cut, and the call succeeds")
			}
		})
	}
	_ = test // as TestSlowLink(t *testing.T)
	// Output:
}

// Whoever wants to see what becomes of a damaged hello looks at both ends himself.
func ExampleNewLink() {
	link := rpctest.NewLink(&rpctest.LinkOptions{
		AToB: []rpctest.Fault{rpctest.Corrupt(rpctest.Byte(3))},
	})
	connected := make(chan *rpcpipe.Peer)
	go func() {
		a, _ := rpcpipe.New(context.Background(), link.A, nil) // may have heard nothing wrong
		connected <- a
	}()
	_, err := rpcpipe.New(context.Background(), link.B, nil)
	fmt.Println(err != nil)
	fmt.Println(link.Happened())
	if a := <-connected; a != nil {
		a.Close()
		a.Wait()
	}
	// Output:
	// true
	// [A to B: corrupt at byte 3]
}
