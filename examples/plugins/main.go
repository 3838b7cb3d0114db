// Command plugins is a host of plugins: it finds them in a folder, checks their versions, calls them
// with a deadline, shows what they log, restarts the one that crashes, replaces one while calls run,
// and ends all of them, on Ctrl-C as well.
//
// host.go is the host, plugin.go a plugin. The plugins of this demonstration are copies of this very
// program, which looks at its own name; yours are programs of their own. What they log is shown in the
// end, or with -log as it comes, and what they print to stderr as well. With -serve the host goes on
// until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

var (
	serve = flag.Bool("serve", false, "go on until interrupted")
	live  = flag.Bool("log", false, "show at once what plugins log and print")
)

func main() {
	log.SetFlags(0)
	run := demonstrate
	if rpcpipe.IsChild() {
		run = plugin
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func demonstrate() error {
	flag.Parse()
	// Not the context of exec.CommandContext, which would kill the plugins at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	folder, err := os.MkdirTemp("", "plugins")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, name := range []string{"count-1.0", "old-0.3", "upper-1.2"} {
		if err := install(folder, name); err != nil {
			return err
		}
	}

	logs := new(journal)
	host := NewHost(folder, logs, io.Discard)
	if *live {
		host = NewHost(folder, os.Stderr, os.Stderr)
	}
	defer host.Close()
	host.Load(ctx)

	fmt.Println("upper:", host.Apply(ctx, "upper", "hello"))
	fmt.Println("count:", host.Apply(ctx, "count", "hello"))
	fmt.Println("upper, which dawdles:", host.Apply(ctx, "upper", "dawdle"))
	fmt.Println("count, which crashes:", host.Apply(ctx, "count", ""))
	fmt.Println("count, once more:", host.Apply(ctx, "count", "three words here"))
	if err := replace(ctx, host, folder); err != nil {
		return err
	}
	if *serve {
		fmt.Println("serving")
		<-ctx.Done()
	}
	host.Close()
	fmt.Print("all plugins have ended\n", logs.sorted())
	return nil
}

// journal keeps lines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	return len(line), nil
}

// sorted returns the lines: those of one plugin are in their order.
func (j *journal) sorted() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	slices.SortStableFunc(j.lines, func(a, b string) int {
		return strings.Compare(a[:strings.Index(a, ":")], b[:strings.Index(b, ":")])
	})
	return strings.Join(j.lines, "")
}

// replace installs a newer version of a plugin while it is being called.
func replace(ctx context.Context, host *Host, folder string) error {
	var callers sync.WaitGroup
	var done, failed atomic.Int64
	replaced := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-replaced:
					return
				default:
				}
				done.Add(1)
				if host.Apply(ctx, "upper", "x") != "X" {
					failed.Add(1)
				}
			}
		})
	}
	err := install(folder, "upper-1.3")
	if err == nil {
		host.Load(ctx)
	}
	close(replaced)
	callers.Wait()
	fmt.Printf("upper was called meanwhile: %t, calls that failed: %d\n", done.Load() > 0, failed.Load())
	return err
}

// install copies this program into the folder.
func install(folder, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	// Under another name first: the host must not find half a program.
	part := filepath.Join(folder, "."+name)
	to, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if closing := to.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(folder, name))
}
