//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestInterrupted: a signal ends a call that waits, and the program with it.
func TestInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := cmdOf(t, append([]string{"call", "Arith.Wait"}, self("arith")...)...)
		interrupt(t, cmd, sig, "waiting")
	}
}

// TestInterruptedInput: so does one that waits for standard input.
func TestInterruptedInput(t *testing.T) {
	cmd := cmdOf(t, append([]string{"call", "-calls", "-"}, self("arith")...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go io.WriteString(in, "Arith.Say \"ready\"\n")
	interrupt(t, cmd, syscall.SIGINT, "said: ready")
}

// TestInterruptedArgument: and one that reads its argument.
func TestInterruptedArgument(t *testing.T) {
	cmd := cmdOf(t, append([]string{"call", "Arith.Add", "-"}, self("arith")...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds: when it is written, the command has been reading.
	if _, err := io.WriteString(in, strings.Repeat(" ", 1<<20)); err != nil {
		t.Fatal(err)
	}
	endBy(t, cmd, syscall.SIGINT, errs)
}

// interrupt sends a signal to cmd when it has written a text to standard error.
func interrupt(t *testing.T, cmd *exec.Cmd, sig os.Signal, when string) {
	t.Helper()
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(errs)
	for line := ""; !strings.Contains(line, when); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("%q did not come: %v", when, err)
		}
	}
	endBy(t, cmd, sig, lines)
}

// endBy sends cmd a signal, and requires that it ends as one that was interrupted.
func endBy(t *testing.T, cmd *exec.Cmd, sig os.Signal, errs io.Reader) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(errs) // until the child is gone, too
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != codeInterrupted {
		t.Errorf("exit code %d, %d was expected: %s", code, codeInterrupted, rest)
	}
	if !strings.Contains(string(rest), "interrupted\n") {
		t.Errorf("standard error: %s", rest)
	}
}
