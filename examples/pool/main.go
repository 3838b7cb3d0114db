// Command pool decodes 2,000 images in children that may do nothing else: some of the images are bombs,
// one never ends, and one crashes its decoder. Each costs itself alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func main() {
	log.SetFlags(0)
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

const count = 2000

var (
	unsandboxed = flag.Bool("unsandboxed", false, "go on where the kernel has no sandbox")
	timeout     = flag.Duration("timeout", 2*time.Second, "how long an image may take")
	rounds      = flag.Int("rounds", 3, "how often speeds are compared, 0 for never")
)

func parent() error {
	flag.Parse()
	images, bad, err := makeImages(count)
	if err != nil {
		return err
	}
	onThread, about, err := sandbox(*unsandboxed)
	if err != nil {
		return err
	}
	fmt.Println("children are", about)
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		if onThread == nil {
			return procspawn.Self(), nil
		}
		return procspawn.Self(sealed), nil
	}
	opts := &rpcpipe.Options{
		Server:   rpc.NewServer(),    // nothing here is for children to call
		Env:      []string{"GORACE"}, // what else is in the environment is not for them either
		Limits:   procspawn.Limits{Memory: 256 << 20},
		OnThread: onThread,
	}
	if err := decode(images, command, opts); err != nil {
		return err
	}
	if *rounds <= 0 {
		return nil
	}
	for i := range bad {
		images[i] = nil
	}
	return compare(slices.DeleteFunc(images, func(data []byte) bool { return data == nil }), command, opts)
}

// decode decodes images in children, and prints what has become of each.
func decode(images [][]byte, command func(rpcpipe.Incarnation) (*exec.Cmd, error), opts *rpcpipe.Options) error {
	ctx := context.Background()
	pool, err := rpcpipe.NewPool(ctx, command, &rpcpipe.PoolOptions{
		Supervise: &rpcpipe.SuperviseOptions{Peer: opts},
		Timeout:   *timeout,
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	decoded, failed := 0, new(strings.Builder)
	for job, err := range rpcpipe.Map[Picture](ctx, pool, "Decoder.Decode", slices.Values(images), nil) {
		if err == nil && job.Reply.Title == name(job.Index) {
			decoded++
		} else {
			fmt.Fprintf(failed, "image %d failed in %s: %s\n", job.Index, job.Worker, why(err))
		}
		progress(os.Stdout, job.Index+1, len(images))
	}
	fmt.Printf("%s%d of %d images decoded\n", failed, decoded, len(images))
	return nil
}

// why says in short what a job has failed of. The text of err says more.
func why(err error) string {
	var job *rpcpipe.JobError
	var panicked *viaduct.PanicError
	switch {
	case errors.As(err, &job) && job.Exit != nil && job.Exit.Limit.Limit != procspawn.NoLimit:
		return "the child has reached its limit of " + job.Exit.Limit.Limit.String()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.As(err, &panicked):
		return "the decoder has panicked"
	case err == nil:
		return "it is another image"
	}
	return err.Error()
}

// progress shows how many are done, if out is a terminal.
func progress(out *os.File, done, all int) {
	if info, err := out.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	fmt.Fprintf(out, "\r[%-50s] %d of %d", strings.Repeat("=", 50*done/all), done, all)
	if done == all {
		fmt.Fprintln(out)
	}
}

// compare prints how fast the children decode images, and goroutines of this process. They do so in
// turns, and the median counts.
func compare(images [][]byte, command func(rpcpipe.Incarnation) (*exec.Cmd, error), opts *rpcpipe.Options) error {
	pool, err := rpcpipe.NewPool(context.Background(), command, &rpcpipe.PoolOptions{Supervise: &rpcpipe.SuperviseOptions{Peer: opts}})
	if err != nil {
		return err
	}
	defer pool.Close()
	var children, here, ratios []float64 // images a second
	for range *rounds {
		begin := time.Now()
		for _, err := range rpcpipe.Map[Picture](context.Background(), pool, "Decoder.Decode", slices.Values(images), nil) {
			if err != nil {
				return err
			}
		}
		children = append(children, float64(len(images))/time.Since(begin).Seconds())
		begin = time.Now()
		if err := decodeHere(images); err != nil {
			return err
		}
		here = append(here, float64(len(images))/time.Since(begin).Seconds())
		ratios = append(ratios, children[len(children)-1]/here[len(here)-1])
	}
	slices.Sort(children)
	slices.Sort(here)
	slices.Sort(ratios)
	fmt.Printf("harmless images: %.0f/s by children, %.0f/s in this process, a ratio of %.2f\n",
		children[*rounds/2], here[*rounds/2], ratios[*rounds/2])
	return nil
}

// decodeHere decodes images in this process, with a goroutine for each processor.
func decodeHere(images [][]byte) error {
	next := make(chan []byte)
	workers := runtime.GOMAXPROCS(0)
	failed := make(chan error, workers)
	for range workers {
		go func() {
			var all error
			for data := range next {
				all = errors.Join(all, Decoder{}.Decode(data, new(Picture)))
			}
			failed <- all
		}()
	}
	for _, data := range images {
		next <- data
	}
	close(next)
	var all error
	for range workers {
		all = errors.Join(all, <-failed)
	}
	return all
}
