package rpctest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
)

// A Child is a program to be started by [rpcpipe.Start], or by a Supervisor or a Pool. It answers
// every call, of whatever method, and notification: with what Replies and Failures say of the
// method, and else with the argument, which it gives back as it came. It ends with its link, and
// when it is shut down, as any child.
//
// The program is the one that is running, which is the test binary: started so, it becomes the
// Child when this package is initialised, before its TestMain and tests.
type Child struct {
	// Name and Version are what it says of itself.
	Name, Version string

	// Replies has what methods return, by the methods' names.
	Replies map[string]any

	// Failures has the texts of the errors of methods that fail, by the methods' names.
	Failures map[string]string

	// Misdeeds are what it does wrong.
	Misdeeds []Misdeed
}

// childWord is the first argument of a Child. The second is its order.
const childWord = handles.TestChild

// order is what a Child is told.
type order struct {
	Name, Version string
	Replies       map[string][]byte
	Failures      map[string]string
	Misdeeds      []Misdeed
}

// Command returns a Cmd for a process that is c. If c has no meaning, starting it fails with an
// error that says why.
func (c Child) Command() *exec.Cmd {
	o := order{c.Name, c.Version, make(map[string][]byte), c.Failures, c.Misdeeds}
	var err error
	for method, reply := range c.Replies {
		if o.Replies[method], err = viaduct.MessagePack.Append(nil, reply); err != nil {
			return failing(fmt.Errorf("rpctest: the reply of %s: %w", method, err))
		}
	}
	for _, m := range c.Misdeeds {
		if err := m.check(); err != nil {
			return failing(err)
		}
	}
	if i := slices.IndexFunc(c.Misdeeds, func(m Misdeed) bool { return slices.Contains(needLink, m.Do) }); i >= 0 && slices.ContainsFunc(c.Misdeeds, Misdeed.isLie) {
		return failing(fmt.Errorf("rpctest: Misdeed %q of a Child that lies: it can do one or the other", c.Misdeeds[i].Do))
	}
	text, err := json.Marshal(o)
	if err != nil {
		return failing(fmt.Errorf("rpctest: %w", err))
	}
	cmd := procspawn.Self(childWord, string(text))
	// With the race detector it would sleep for 1 s when it exits.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// failing returns a Cmd whose Start fails with err.
func failing(err error) *exec.Cmd {
	cmd := procspawn.Self()
	cmd.Err = err
	return cmd
}

func init() {
	if len(os.Args) != 3 || os.Args[1] != childWord || !procspawn.IsChild() {
		return
	}
	var o order
	if err := json.Unmarshal([]byte(os.Args[2]), &o); err != nil {
		fmt.Fprintln(os.Stderr, "rpctest: what this child was told:", err)
		os.Exit(statusFailed)
	}
	os.Exit(o.carryOut())
}
