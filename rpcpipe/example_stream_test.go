package rpcpipe_test

import (
	"fmt"
	"io"
	"log"
	"net/rpc"
	"strings"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Put is the argument of Store.Put.
type Put struct {
	viaduct.Caller
	File rpcpipe.StreamName
}

// Store keeps what it is given.
type Store struct{ content strings.Builder }

// Put stores what the caller writes to the stream that the argument names.
func (s *Store) Put(put Put, n *int64) error {
	conn, err := put.File.Open(put.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	*n, err = io.Copy(&s.content, conn)
	return err
}

// A method takes a stream that its argument names.
func ExamplePeer_Offer() {
	store := new(Store)
	server := rpc.NewServer()
	if err := server.Register(store); err != nil {
		log.Fatal(err)
	}
	peer, other := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	defer other.Close()
	defer peer.Close()
	file := strings.NewReader("a long text")

	name, conn := peer.Offer()
	defer conn.Close()
	go func() {
		stream := conn.(*duplex.Stream)
		if _, err := io.Copy(conn, file); err != nil { // also if the method reads no further
			stream.Reset() // what the file did not give must not look like its end
		}
		stream.CloseWrite()
	}()
	var n int64
	err := peer.Call("Store.Put", Put{File: name}, &n)
	fmt.Println(n, err)
	fmt.Println(store.content.String())
	// Output:
	// 11 <nil>
	// a long text
}
