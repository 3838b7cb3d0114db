package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/affinity"
	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
	"github.com/viaduct-go/viaduct/bench/internal/profile"
	"github.com/viaduct-go/viaduct/bench/internal/suite"
)

// A worker is this program again, on the processors of one mode. It is told what to measure by its
// second argument, and tells what comes of it on standard output, both as JSON.

// workerWord is the first argument of a worker.
const workerWord = "worker"

func isWorker() bool { return len(os.Args) == 3 && os.Args[1] == workerWord }

// serveWorker is the main function of a worker.
func serveWorker() error {
	lifeline.Watch()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var spec suite.Spec
	if err := json.Unmarshal([]byte(os.Args[2]), &spec); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	tell := func(e suite.Event) { out.Encode(e) } // if nobody listens the lifeline has ended, too
	profiled, err := profile.Parent(spec.Profile)
	if err != nil {
		return err
	}
	last := suite.Event{Done: true}
	if err := errors.Join(spec.Run(ctx, tell), profiled()); err != nil {
		last = suite.Event{Err: err.Error()}
	}
	tell(last)
	return nil
}

// work has a worker measure, and tells what it tells. When the context ends the worker ends its
// children and then itself.
func work(ctx context.Context, spec suite.Spec, tempDir string, tell func(suite.Event)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, workerWord, string(text))
	// What the libraries leave behind when they are killed lies in a directory that is removed.
	cmd.Env = append(os.Environ(), "TMPDIR="+tempDir, "TMP="+tempDir)
	if spec.Mode.Procs > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(spec.Mode.Procs))
	}
	var stderr bytes.Buffer // some libraries print there when all is well
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // the lifeline: its end is that of the worker and of all children
	if err != nil {
		return err
	}
	defer stdin.Close()
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return stdin.Close() // where there is no such signal
		}
		return nil
	}
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := start(cmd, spec.Mode); err != nil {
		return err
	}
	err = receive(stdout, tell)
	if err != nil {
		stdin.Close()
	}
	waited := cmd.Wait()
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err == nil {
		err = waited
	}
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return err
}

// start starts cmd on the processors of the mode.
func start(cmd *exec.Cmd, m suite.Mode) error {
	if len(m.CPUs) == 0 {
		return cmd.Start()
	}
	return affinity.Start(cmd, m.CPUs)
}

// receive hands on what a worker tells, until it is done.
func receive(r io.Reader, tell func(suite.Event)) error {
	for events := json.NewDecoder(r); ; {
		var e suite.Event
		switch err := events.Decode(&e); {
		case err != nil:
			return fmt.Errorf("the process that measures has ended: %w", err)
		case e.Err != "":
			return errors.New(e.Err)
		case e.Done:
			return nil
		}
		tell(e)
	}
}
