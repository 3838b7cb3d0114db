// Command stream copies a large file through a method of its child, which
// takes a stream in its argument, and reads it back through another, which
// returns one. Small calls go on meanwhile.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var size = flag.Int64("size", 256, "the size of the file, in MiB")

func main() {
	log.SetFlags(0)
	flag.Parse()
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// Copier is the child's service.
type Copier struct{}

// A File is what Copier.Copy takes and Copier.Read returns.
type File struct {
	viaduct.Caller
	Path string
	Size int64 // in bytes: who reads Data sees by it whether that was all
	Data rpcpipe.StreamName
}

// Copy writes the file.
func (Copier) Copy(f *File, _ *struct{}) error {
	stream, err := f.Data.Open(f.Context())
	if err != nil {
		return err
	}
	defer stream.Close()
	out, err := os.Create(f.Path)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, stream)
	if err == nil && n != f.Size {
		err = fmt.Errorf("%s: %d bytes came, not %d", f.Path, n, f.Size)
	}
	return errors.Join(err, out.Close())
}

// Read returns the file with this path.
func (Copier) Read(f, reply *File) error {
	in, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	info, err := in.Stat()
	if err != nil {
		in.Close()
		return err
	}
	var stream net.Conn
	reply.Path, reply.Size = f.Path, info.Size()
	reply.Data, stream = rpcpipe.FromContext(f.Context()).Offer()
	// The parent opens the stream when it has the reply. If it does not wait for the
	// reply any more, this ends with the link.
	go func() {
		defer in.Close()
		_, err := io.Copy(stream, in)
		finish(stream, err)
	}()
	return nil
}

// finish says that no more follows: what was written is all there is, or, after an error, it is
// not. Close would take the stream back if the other side had not opened it yet, as may be with an
// empty file.
func finish(stream net.Conn, err error) {
	s := stream.(*duplex.Stream)
	if err != nil {
		s.Reset()
	}
	s.CloseWrite()
}

// Nothing is the method for small calls.
func (Copier) Nothing(struct{}, *struct{}) error { return nil }

func child() error {
	if err := rpc.Register(Copier{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	return peer.Wait()
}

func parent() error {
	// Upon an interrupt calls return an error, and what is deferred is done.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "viaduct-stream-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "source")
	sum, err := makeFile(source, *size<<20)
	if err != nil {
		return err
	}

	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(ctx, cmd, &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer peer.Close()
	if err := thereAndBack(ctx, peer, source, filepath.Join(dir, "target"), sum); err != nil {
		return err
	}
	fmt.Printf("%d MiB went to the child and came back unchanged\n", *size)
	return peer.Shutdown(ctx) // the child has ended
}

// makeFile writes n random bytes to a file and returns their checksum.
func makeFile(path string, n int64) (sum []byte, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	sha := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, sha), rand.NewChaCha8([32]byte{}), n)
	return sha.Sum(nil), errors.Join(err, f.Close())
}

// thereAndBack has the child copy source to target and reads target back, while
// small calls go on. sum is the checksum that must result.
func thereAndBack(ctx context.Context, peer *rpcpipe.Peer, source, target string, sum []byte) error {
	calls := &smallCalls{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	called := make(chan error, 1)
	go func() { called <- calls.run(ctx, peer) }()

	there := newProgress("there", *size<<20, calls)
	err := send(ctx, peer, source, target, there)
	there.end()
	if err != nil {
		return fmt.Errorf("copy to %s: %w", target, err)
	}
	back, sha := newProgress("back ", *size<<20, calls), sha256.New()
	err = receive(ctx, peer, target, io.MultiWriter(sha, back))
	back.end()
	if err != nil {
		return fmt.Errorf("read %s back: %w", target, err)
	}
	if err := compare(sha, sum); err != nil {
		return err
	}
	cancel()
	return <-called
}

func compare(sha hash.Hash, sum []byte) error {
	if got := sha.Sum(nil); string(got) != string(sum) {
		return fmt.Errorf("checksum %x came back, not %x", got, sum)
	}
	return nil
}

// send has the child copy the file source to target. What has been sent goes to w, too.
func send(ctx context.Context, peer *rpcpipe.Peer, source, target string, w io.Writer) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	name, stream := peer.Offer()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.MultiWriter(stream, w), in)
		finish(stream, err) // so that the child reads to its end, or that there is none
		sent <- err
	}()
	err = peer.CallContext(ctx, "Copier.Copy", &File{Path: target, Size: info.Size(), Data: name}, nil)
	stream.Close() // perhaps the child has not even opened it: then somebody waits in Write
	if errSent := <-sent; err == nil || errors.As(errSent, new(*fs.PathError)) {
		err = errSent // the child knows only that too little came
	}
	return err
}

// receive reads the file with this path from the child to w.
func receive(ctx context.Context, peer *rpcpipe.Peer, path string, w io.Writer) error {
	var f File
	if err := peer.CallContext(ctx, "Copier.Read", &File{Path: path}, &f); err != nil {
		return err
	}
	stream, err := peer.OpenOffer(ctx, f.Data)
	if err != nil {
		return err
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, func() { stream.Close() }) // Read has no context
	defer stop()
	n, err := io.Copy(w, stream)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && n != f.Size:
		return fmt.Errorf("%d bytes came, not %d", n, f.Size)
	}
	return err
}
