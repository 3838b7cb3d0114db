// Package minimal is the main function of the programs below it, each of which has one contender
// and nothing else. Their sizes are compared, and they are the children whose start is timed and
// whose memory is counted.
package minimal

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// Main starts itself as a child and makes a call, or is the child.
func Main(name string, start work.StartFunc, serve func() error) {
	run := func() error { return parent(name, start) }
	if len(os.Args) > 1 && os.Args[1] == "child" {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parent(name string, start work.StartFunc) error {
	if err := lifeline.Hold(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	peer, err := start(context.Background(), exec.Command(self, "child", name), work.Options{})
	if err != nil {
		return err
	}
	defer peer.Close()
	c, err := peer.Add(20, 22)
	if err != nil {
		return err
	}
	_, err = fmt.Println(c)
	return err
}
