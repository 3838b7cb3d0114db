package rpcpipe_test

import (
	"bufio"
	"context"
	"log"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var (
	ctx   = context.Background()
	paths = os.Args[1:]
)

// Size is what Images.Size, a method of the child, replies.
type Size struct{ Width, Height int }

func ExampleNewPool() {
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("./child"), nil }
	pool, err := rpcpipe.NewPool(ctx, command, &rpcpipe.PoolOptions{
		Timeout: 2 * time.Second, // of a job
		Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{
			Limits: procspawn.Limits{Memory: 256 << 20}, // of a child
		}},
	})
	if err != nil {
		log.Fatal(err) // no child came up
	}
	defer pool.Close()
	for job, err := range rpcpipe.Map[Size](ctx, pool, "Images.Size", slices.Values(paths), nil) {
		if err != nil {
			log.Print(err) // it names the job, and what its child has died of
			continue
		}
		log.Println(job.Arg, job.Reply.Width, job.Reply.Height)
	}
}

// The arguments may be an endless sequence, here the lines of the standard input. Children may be on
// other machines.
func ExampleMap() {
	hosts := []string{"one", "two"}
	next := make(chan string, len(hosts)) // the command function is called by several goroutines
	for _, host := range hosts {
		next <- host
	}
	pool, err := rpcpipe.NewPool(ctx, func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		host := <-next
		next <- host // in turns
		return exec.Command("ssh", "-T", host, "bin/child", procspawn.Here), nil
	}, &rpcpipe.PoolOptions{
		Size:      8,
		Attempts:  2, // if a machine is lost with a job
		Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Stdio: true}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	input := bufio.NewScanner(os.Stdin)
	lines := func(yield func(string) bool) {
		for input.Scan() && yield(input.Text()) {
		}
	}
	unordered := &rpcpipe.MapOptions{Unordered: true} // as they are there
	for job, err := range rpcpipe.Map[Size](ctx, pool, "Images.Size", lines, unordered) {
		log.Println(job.Index, job.Arg, job.Reply, err)
	}
	if err := input.Err(); err != nil {
		log.Print(err)
	}
}
