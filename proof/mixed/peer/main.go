// Command peer is a parent or a child that puts all kinds of load on its link and checks whatever
// arrives. It is built from two versions of the library, so that each can be put opposite the other,
// and uses only what both have.
//
//	peer -seed 7 -for 3s -end shutdown ./other-peer
//
// starts ./other-peer as its child, has both sides put load on the link for 3 s, ends the child, and
// prints a Report of both sides as JSON. It fails, with a text that says what, if anything was lost,
// changed or out of order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Report counts what was done and found right. What is wrong is an error.
type Report struct {
	Parent, Child Counts
	Exit          string
}

// limit bounds a run: what takes longer hangs.
const limit = 2 * time.Minute

func main() {
	seed := flag.Uint64("seed", 1, "of the load")
	length := flag.Duration("for", time.Second, "how long both sides put load on the link")
	end := flag.String("end", "shutdown", "how the parent ends the link: shutdown, close, kill")
	flag.Parse()
	var err error
	if rpcpipe.IsChild() {
		err = child()
	} else {
		err = parent(*seed, *length, *end, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "peer: %v\n", err)
		os.Exit(1)
	}
}

func child() error {
	s := newSide()
	peer, err := rpcpipe.Connect(context.Background(), s.options())
	if err != nil {
		return err
	}
	s.connected(peer)
	if err := peer.Wait(); err != nil {
		return fmt.Errorf("the link of the child ended by: %w", err)
	}
	return s.wrong()
}

func parent(seed uint64, length time.Duration, end, program string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s := newSide()
	cmd := exec.Command(program)
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(ctx, cmd, s.options())
	if err != nil {
		return err
	}
	defer peer.Close()
	s.connected(peer)
	var r Report
	theirs := make(chan error, 1)
	go func() {
		theirs <- peer.CallContext(ctx, "Side.Load", Order{seed + 1, length}, &r.Child)
	}()
	if r.Parent, err = s.load(ctx, seed, length); err != nil {
		return fmt.Errorf("load of the parent: %w", err)
	}
	if err := <-theirs; err != nil {
		return fmt.Errorf("load of the child: %w", err)
	}
	if err := s.wrong(); err != nil {
		return err
	}
	if err := ends(ctx, s, peer, end); err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	r.Exit = fmt.Sprint(peer.Process().Exit())
	return json.NewEncoder(os.Stdout).Encode(r)
}

func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// ends ends the link as end says, with calls in flight, and checks what becomes of them.
func ends(ctx context.Context, s *side, peer *rpcpipe.Peer, end string) error {
	const inFlight = 50
	done := make(chan *rpc.Call, inFlight)
	for range inFlight {
		peer.Go("Side.Park", 100*time.Millisecond, new(int), done)
	}
	if err := peer.CallContext(ctx, "Side.Echo", []byte("behind"), new([]byte)); err != nil {
		return err
	}
	for i := range 500 {
		if err := peer.Notify(ctx, "Side.Last", i); err != nil {
			return err
		}
	}
	var err error
	switch end {
	case "shutdown":
		err = peer.Shutdown(ctx)
	case "close":
		err = peer.Close()
	case "kill":
		err = kill(peer.Process().Pid())
	default:
		return errors.New("there is no such end")
	}
	if err != nil {
		return err
	}
	for range inFlight {
		switch call := <-done; {
		case end == "shutdown" && call.Error != nil:
			return fmt.Errorf("a call in flight was lost: %w", call.Error)
		case call.Error != nil && !errors.Is(call.Error, rpc.ErrShutdown):
			return fmt.Errorf("a call in flight ended by another error than of the link: %w", call.Error)
		}
	}
	err = peer.Wait()
	exit := peer.Process().Exit()
	switch {
	case end == "kill" && exit.Signal == nil:
		return fmt.Errorf("the child was killed and ended by %v", exit)
	case end != "kill" && exit.Code != 0:
		return fmt.Errorf("the child ended by %v", exit)
	case end != "kill" && err != nil:
		return err
	}
	return nil
}

func (s *side) options() *rpcpipe.Options {
	return &rpcpipe.Options{Server: s.server, LogHandler: &s.logs, OnExit: func(*procspawn.Exit) {}, Logger: slog.New(&s.told)}
}
