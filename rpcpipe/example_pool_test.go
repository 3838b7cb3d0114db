package rpcpipe_test

import (
	"bufio"
	"context"
	"errors"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct"
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

// A pool for jobs of which some are heavy, some are bad, and some leak.
func ExamplePoolOptions() {
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("./child"), nil }
	pool, err := rpcpipe.NewPool(ctx, command, &rpcpipe.PoolOptions{
		Size:          2,
		MaxSize:       8,               // more children while jobs wait
		Timeout:       2 * time.Second, // of a job
		Attempts:      2,               // children that a job may cost: it may be run twice
		RecycleJobs:   1000,            // then a child is replaced
		RecycleMemory: 200 << 20,       // or when it holds more than this between two jobs
		Supervise: &rpcpipe.SuperviseOptions{
			Name: "images",
			Peer: &rpcpipe.Options{
				Server: rpc.NewServer(), // nothing here is for children to call
				Logger: slog.Default(),
				Limits: procspawn.Limits{Memory: 256 << 20},
			},
			Stderr: os.Stderr, // line by line, with the child's name
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var size Size
	err = pool.CallContext(ctx, "Images.Size", "a.png", &size)
	var job *rpcpipe.JobError
	switch {
	case err == nil:
		log.Println(size.Width, size.Height)
	case !errors.As(err, &job):
		log.Print("the method says: ", err)
	case job.Exit != nil:
		log.Print(job.Worker, " has died of it: ", job.Exit) // with the limit, the crash, the end of stderr
	case errors.Is(err, context.DeadlineExceeded):
		log.Print("it took too long")
	case errors.Is(err, viaduct.ErrNotBegun):
		log.Print("no child was there for it: ", err)
	default:
		log.Print(err)
	}

	// Several calls to one child are one job.
	err = pool.With(ctx, func(ctx context.Context, child *rpcpipe.Peer) error {
		if err := child.CallContext(ctx, "Images.Load", "a.png", nil); err != nil {
			return err
		}
		return child.CallContext(ctx, "Images.Turn", 90, nil)
	})
	if err != nil {
		log.Print(err)
	}
}
