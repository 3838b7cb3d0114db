package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// child is what this program does as somebody's child: "serve", which makes calls
// as well, "rest", which makes none, "middle", which has a child of its own, under load, "victim",
// which has children that lie, such a "liar", "job", which records what it does, "scene", which lacks
// something, "thin", which lacks memory, or "starved", which takes all that there is.
func child(args []string) {
	var err error
	switch args[0] {
	case "serve":
		err = serve(2)
	case "rest":
		err = serve(0)
	case "middle":
		err = middle(args[1])
	case "victim":
		err = victim()
	case "job":
		err = job(args[1])
	case "scene":
		err = perform(args[1])
	case "thin":
		err = thin(args[1])
	case "starved":
		err = starved()
	case "liar":
		err = tell(args[1])
	default:
		err = fmt.Errorf("unknown child %q", args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "proof: child:", err)
		os.Exit(2)
	}
}

// serve answers calls, and makes some by so many goroutines, until the link ends.
func serve(goroutines int) error {
	p, err := rpcpipe.Connect(context.Background(), options())
	if err != nil {
		return err
	}
	go echoStreams(p)
	l := loadOn(p, goroutines, 1)
	p.Wait()
	<-l.done
	return nil
}

// middle tells its parent of its own child, with which it works until it is killed.
func middle(seed string) error {
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	up, err := rpcpipe.Connect(context.Background(), options())
	if err != nil {
		return err
	}
	p, err := rpcpipe.Start(context.Background(), serving(), options())
	if err != nil {
		return err
	}
	go echoStreams(p)
	loadOn(p, 4, n)
	if err := up.Notify(context.Background(), "Service.Note", &Data{N: p.Process().Pid()}); err != nil {
		return err
	}
	up.Wait()
	return p.Close()
}

// serving is the command for a child that serves.
func serving() *exec.Cmd { return procspawn.Self("serve") }

// tell tells the lie with a number.
func tell(number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	return speak(&allLies()[n])
}
