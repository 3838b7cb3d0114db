// Command polyglot has the same conversation with two children in other
// languages, written from PROTOCOL.md: child.py (which imports frames.py and listing.py)
// and child.mjs (frames.mjs). They are for copying.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var (
	dir    = flag.String("dir", "examples/polyglot", "where the children are")
	python = flag.String("python", "", "Python; default: the first of python3 and /usr/bin/python3 with the package msgpack")
	node   = flag.String("node", "node", "Node.js")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = []string{"python", "node"}
	}
	for _, name := range names {
		cmd, err := command(name)
		if err != nil {
			log.Fatal(err)
		}
		if err := talk(name, cmd); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

// command returns what starts the child in a language.
func command(name string) (*exec.Cmd, error) {
	var interpreter, file string
	var err error
	switch name {
	case "python":
		file = "child.py"
		interpreter, err = findPython()
	case "node":
		file = "child.mjs"
		interpreter, err = *node, checkNode()
	default:
		err = fmt.Errorf("there is no child in %s; there is one in python and one in node", name)
	}
	if err != nil {
		return nil, err
	}
	file = filepath.Join(*dir, file)
	cmd := exec.Command(interpreter, file, procspawn.Here)
	cmd.Args = append(cmd.Args, "Ada") // the child's name: its only argument, as it sees them
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd, nil
}

// findPython returns a Python that has the package msgpack.
func findPython() (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	if *python != "" {
		candidates = []string{*python}
	}
	var errs []error
	for _, candidate := range candidates {
		err := exec.Command(candidate, "-c", "import msgpack").Run()
		if err == nil {
			return candidate, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", candidate, err))
	}
	return "", fmt.Errorf("child.py needs Python 3.8 or later with the package msgpack "+
		"(Debian: apt-get install python3-msgpack):\n%w", errors.Join(errs...))
}

// checkNode returns an error if Node.js is missing or its package for MessagePack is.
func checkNode() error {
	cmd := exec.Command(*node, "--input-type=module", "-e", "import '@msgpack/msgpack'")
	cmd.Dir = *dir
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("child.mjs needs Node.js 18 or later (Debian: apt-get install nodejs npm), and then "+
			"npm ci --prefix %s:\n%s: %w", *dir, *node, err)
	}
	return nil
}

// Parent is what a child may call.
type Parent struct {
	heard   chan string
	stopped chan error
}

// Tell is called one way.
func (p *Parent) Tell(word string, _ *struct{}) error {
	p.heard <- word
	return nil
}

// Echo is called by the child before its Relay returns.
func (p *Parent) Echo(data []byte, reply *[]byte) error {
	*reply = data
	return nil
}

// A Call is an argument with nothing in it but what the library knows of the call.
type Call struct{ viaduct.Caller }

// Wait returns only when the child has cancelled it.
func (p *Parent) Wait(call Call, _ *struct{}) error {
	<-call.Context().Done()
	p.stopped <- call.Context().Err()
	return call.Context().Err()
}

// talk starts a child and calls each of its methods.
func talk(name string, cmd *exec.Cmd) error {
	say := func(format string, a ...any) { fmt.Printf(name+": "+format+"\n", a...) }
	service := &Parent{heard: make(chan string, 3), stopped: make(chan error, 1)}
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		return err
	}
	ctx := context.Background()
	peer, err := rpcpipe.Start(ctx, cmd, &rpcpipe.Options{Server: server, Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer peer.Close()

	var greeting string
	if err := peer.Call("Child.Greet", "Go", &greeting); err != nil {
		return err
	}
	say("%s", greeting)

	type Division struct{ A, B int }
	var quotient float64
	if err := peer.Call("Child.Divide", Division{7, 2}, &quotient); err != nil {
		return err
	}
	say("7 / 2 = %v", quotient)
	err = peer.Call("Child.Divide", Division{7, 0}, &quotient)
	if !errors.As(err, new(rpc.ServerError)) {
		return fmt.Errorf("the division by zero ended with %v", err)
	}
	say("7 / 0: %v", err)

	for _, word := range []string{"un", "deux", "trois"} {
		if err := peer.Notify(ctx, "Child.Tell", word); err != nil {
			return err
		}
	}
	say("the child was told un, deux, trois, and told us %s, %s, %s", <-service.heard, <-service.heard, <-service.heard)

	var relayed []byte
	if err := peer.Call("Child.Relay", []byte("back and forth"), &relayed); err != nil {
		return err
	}
	say("a method that calls back returned %q", relayed)
	big, echo := bytes.Repeat([]byte("0123456789abcdef"), 65536), []byte(nil)
	if err := peer.Call("Child.Echo", big, &echo); err != nil {
		return err
	}
	say("%d bytes came back unchanged: %v", len(echo), bytes.Equal(big, echo))

	// The parent cancels a call when the child says that its method has begun.
	cancelled, cancel := context.WithCancel(ctx)
	go func() {
		say("the child says it is %s", <-service.heard)
		cancel()
	}()
	err = peer.CallContext(cancelled, "Child.Wait", nil, nil)
	say("our call: %v", err)
	say("the child says it has %s", <-service.heard)

	// The child calls Parent.Wait, and cancels that after 0.1 s.
	var outcome string
	if err := peer.Call("Child.Hurry", nil, &outcome); err != nil {
		return err
	}
	say("the child %s; the context of its call: %v", outcome, <-service.stopped)

	peer.Close()
	err = peer.Wait()
	say("ended with status %d", peer.Process().Exit().Code)
	return err
}
