// Command encoding sends structs of fixed size as they lie in memory, with
// encoding/binary: an encoding of its own in the place of MessagePack.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"

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

// fixed is a viaduct.Encoding for numbers, arrays and structs of them.
type fixed struct{}

// Name is what both sides tell each other: they connect only if it is the same.
func (fixed) Name() string { return "fixed" }

func (fixed) Append(b []byte, v any) ([]byte, error) {
	return binary.Append(b, binary.LittleEndian, v)
}

func (fixed) Decode(data []byte, v any) error {
	n, err := binary.Decode(data, binary.LittleEndian, v)
	if err == nil && n < len(data) {
		err = fmt.Errorf("%d bytes for a %T, which takes %d", len(data), v, n)
	}
	return err
}

// Both sides use it.
var options = &rpcpipe.Options{Encoding: fixed{}, Logger: slog.Default()}

// Point and Triangle have a fixed size: there are no strings, slices or maps in them.
type Point struct{ X, Y float64 }

type Triangle [3]Point

// Geometry is the child's service.
type Geometry struct{}

func (Geometry) Area(t Triangle, area *float64) error {
	*area = ((t[1].X-t[0].X)*(t[2].Y-t[0].Y) - (t[2].X-t[0].X)*(t[1].Y-t[0].Y)) / 2
	return nil
}

func parent() error {
	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, options)
	if err != nil {
		return err
	}
	defer peer.Close()
	var area float64
	if err := peer.Call("Geometry.Area", Triangle{{0, 0}, {4, 0}, {0, 3}}, &area); err != nil {
		return err
	}
	fmt.Println("area:", area)
	fmt.Println("text:", peer.Call("Geometry.Area", "three points", &area))
	return nil
}

func child() error {
	if err := rpc.Register(Geometry{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), options)
	if err != nil {
		return err
	}
	return peer.Wait()
}
