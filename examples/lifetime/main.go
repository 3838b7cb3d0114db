// Command lifetime shows what either side is told when the other one is killed.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/rpc"
	"os"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func main() {
	log.SetFlags(0)
	run := both
	switch {
	case rpcpipe.IsChild():
		run = child
	case len(os.Args) > 1 && os.Args[1] == "parent":
		run = parent
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func both() error {
	fmt.Println("The child is killed:")
	if err := killChild(); err != nil {
		return err
	}
	fmt.Println("The parent is killed:")
	return killParent()
}

// Child is the service of the child.
type Child struct{}

// Hang never returns.
func (Child) Hang(struct{}, *struct{}) error { select {} }

// child is the child in both cases.
func child() error {
	if err := rpc.Register(Child{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{
		Logger: slog.Default(),
		OnExit: func(exit *procspawn.Exit) {
			fmt.Println("  child's OnExit: parent is gone:", exit.Parent)
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("connected")
	err = peer.Wait() // main returns soon, or the process is ended
	var exit *procspawn.Exit
	if !errors.As(err, &exit) {
		return err
	}
	fmt.Println("  child's Wait: parent is gone:", exit.Parent)
	return nil
}

// killChild starts a child and kills it while a call to it is pending.
func killChild() error {
	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
		Logger: slog.Default(),
		OnExit: func(exit *procspawn.Exit) {
			fmt.Println("  parent's OnExit: child ended by signal:", exit.Signal)
		},
	})
	if err != nil {
		return err
	}
	defer peer.Close()
	call := peer.Go("Child.Hang", struct{}{}, nil, nil)
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	<-call.Done
	err = peer.Wait()
	var exit *procspawn.Exit
	if !errors.As(call.Error, &exit) {
		return fmt.Errorf("the call ended with %v", call.Error)
	}
	fmt.Println("  parent's call: child ended by signal:", exit.Signal)
	fmt.Println("  parent's call: it is an rpc.ErrShutdown:", errors.Is(call.Error, rpc.ErrShutdown))
	if !errors.As(err, &exit) {
		return fmt.Errorf("waiting ended with %v", err)
	}
	fmt.Println("  parent's Wait: child ended by signal:", exit.Signal)
	return nil
}

// killParent starts this program as an ordinary process, which starts a child
// of its own, and kills the former. Both inherit the stdout that is read here.
func killParent() error {
	cmd := procspawn.Self("parent") // an *exec.Cmd like any other
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(stdout)
	if _, err := lines.ReadString('\n'); err != nil { // "connected"
		return err
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	if _, err := io.Copy(os.Stdout, lines); err != nil { // ends when both have
		return err
	}
	fmt.Println("  nobody holds their stdout any more")
	cmd.Wait() // says that it was killed
	return nil
}

// parent is the process that killParent kills.
func parent() error {
	cmd := procspawn.Self()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	return peer.Wait()
}
