// Command ui hashes the files of a folder, and has a page of its own in the browser that shows how far
// it is, and has buttons. The parent does the work, its child serves the page: either may be killed, and
// the page says so.
//
//	go run ./examples/ui FOLDER
//
// Without a FOLDER it makes one with files to be hashed, slowly enough to be watched. With -once it
// prints the sums and ends, and nobody need look at the page.
//
// job.go is the work, view.go what there is to see of it, page.go the child. Only main.go knows of both.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var (
	once = flag.Bool("once", false, "print the sums and end")
	slow = flag.Duration("slow", 0, "how long to wait before each 32 KiB, so that there is something to see")
)

func main() {
	log.SetFlags(log.Ltime)
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.SetOutput(os.Stderr)
		log.Fatal(err)
	}
}

func parent() error {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	folder := flag.Arg(0)
	if folder == "" {
		made, err := makeFiles()
		defer os.RemoveAll(made)
		if err != nil {
			return err
		}
		folder = made
		if *slow == 0 && !*once {
			*slow = 50 * time.Millisecond
		}
	}
	job, err := NewJob(ctx, folder, *slow)
	if err != nil {
		return err
	}
	log.SetOutput(io.MultiWriter(os.Stderr, job.board)) // the page shows the log, too
	if *once {
		log.SetOutput(job.board)
	}
	if err := rpc.Register(job); err != nil {
		return err
	}
	told, tell := context.WithCancel(context.Background())
	defer tell()
	page, err := openPage(ctx, job.board, tell)
	if err != nil {
		return err
	}
	job.Start(struct{}{}, nil)
	if !*once {
		<-ctx.Done()
		stop()                      // who presses Ctrl-C again does not want to wait
		job.Cancel(struct{}{}, nil) // or the job is over, and does not start again: ctx has ended
	}
	job.runs.Wait()
	if *once && ctx.Err() == nil {
		printSums(job.board)
	}
	job.board.change(func(v *View, _ int) { v.Ended = "The program has ended." })
	select {
	case <-told.Done():
	case <-time.After(2 * time.Second):
	}
	if err := page.Shutdown(context.Background()); err != nil || !*once {
		return err
	}
	return ctx.Err()
}

// openPage starts the child that serves the page, and another when that has ended, at the same address.
// told is called when a child knows that the program ends.
func openPage(ctx context.Context, board *Board, told func()) (*rpcpipe.Supervisor, error) {
	place := Place{Addr: "127.0.0.1:0", Token: rand.Text()}
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return procspawn.Self(), nil }
	return rpcpipe.Supervise(ctx, command, &rpcpipe.SuperviseOptions{
		Name:    "page",
		Peer:    &rpcpipe.Options{Logger: slog.Default(), LogHandler: slog.Default().Handler()},
		Stderr:  os.Stderr,
		Restart: rpcpipe.Restart{Max: time.Second, Limit: math.MaxInt},
		Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
			if err := p.CallContext(ctx, "Page.Serve", place, &place.Addr); err != nil {
				return err
			}
			log.Printf("the page is at http://%s/%s/", place.Addr, place.Token)
			go func() {
				if report(board, p) == nil {
					told()
				}
			}()
			return nil
		},
	})
}

// report tells a child what there is to see, and then what has changed, until the program ends. A child
// that is slow gets the latest, and less often. The error is that the child has ended: the next one is
// told all of it.
func report(board *Board, page *rpcpipe.Peer) error {
	for version := 0; ; {
		view, now, changed := board.since(version)
		if err := page.Notify(context.Background(), "Page.Show", view); err != nil || view.Ended != "" {
			return err
		}
		version = now
		select {
		case <-changed:
		case <-page.Done():
		}
		select {
		case <-time.After(time.Second / 10):
		case <-page.Done():
		}
	}
}

// makeFiles makes a folder of files that are the same each time.
func makeFiles() (string, error) {
	folder, err := os.MkdirTemp("", "ui")
	chance := mathrand.NewChaCha8([32]byte{})
	for i := range 24 {
		content := make([]byte, 1+chance.Uint64()%(4<<20))
		chance.Read(content)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("file-%02d", i+1)), content, 0o600)
		}
	}
	return folder, err
}

// printSums prints what was hashed, as sha256sum does.
func printSums(board *Board) {
	all, _, _ := board.since(0)
	for _, f := range all.Files {
		if f.Error != "" {
			f.Sum = f.Error
		}
		fmt.Printf("%s  %s\n", f.Sum, f.Name)
	}
	fmt.Printf("%d files, %d bytes\n", len(all.Files), all.Done)
}
