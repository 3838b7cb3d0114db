package main

import (
	"bytes"
	"context"
	"fmt"
	"net/rpc"
	"os"
	"runtime"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Job is the service of a child that records what it does: "b", a space and the call's id when it
// begins, "d" and the id when it has done it, each in one write, so that a kill leaves what came before.
type Job struct{ journal *os.File }

// job is the life of such a child.
func job(journal string) error {
	f, err := os.OpenFile(journal, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	server := rpc.NewServer()
	if err := server.Register(&Job{f}); err != nil {
		return err
	}
	p, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Server: server})
	if err != nil {
		return err
	}
	return p.Wait()
}

// Do is what is counted.
func (j *Job) Do(arg Data, _ *struct{}) error {
	if _, err := fmt.Fprintf(j.journal, "b %d\n", arg.N); err != nil {
		return err
	}
	for range arg.N % 7 {
		runtime.Gosched() // others come between
	}
	_, err := fmt.Fprintf(j.journal, "d %d\n", arg.N)
	return err
}

// Leave shuts the link down.
func (j *Job) Leave(arg Data, _ *struct{}) error {
	return rpcpipe.FromContext(arg.Context()).Shutdown(arg.Context())
}

// readJournal returns how often calls were begun and done, by their ids.
func readJournal(text []byte) (began, did map[int]int, err error) {
	began, did = make(map[int]int), make(map[int]int)
	for line := range bytes.Lines(text) {
		var kind byte
		var id int
		if _, scanned := fmt.Sscanf(string(line), "%c %d\n", &kind, &id); scanned != nil {
			err = fmt.Errorf("%q: %w", line, scanned)
			continue
		}
		if kind == 'b' {
			began[id]++
		} else {
			did[id]++
		}
	}
	return began, did, err
}
