package rpcpipe_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/rpc"
	"strings"
	"time"

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

// Get is the argument of Library.Get.
type Get struct {
	viaduct.Caller
	Name string
	To   rpcpipe.StreamName
}

// Library has what callers may get.
type Library map[string]string

// Get writes to the stream that the argument names.
func (s Library) Get(get Get, _ *struct{}) error {
	text, ok := s[get.Name]
	if !ok {
		return fmt.Errorf("there is no %s", get.Name)
	}
	conn, err := get.To.Open(get.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second)) // a caller who does not read keeps nothing here for longer
	if _, err := io.Copy(conn, strings.NewReader(text)); err != nil {
		conn.(*duplex.Stream).Reset()
		return err
	}
	return nil
}

// A method writes to a stream that its caller has offered, for as long as it runs and no longer.
func ExampleStreamName_Open() {
	server := rpc.NewServer()
	if err := server.Register(Library{"a book": "a long text"}); err != nil {
		log.Fatal(err)
	}
	peer, other := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	defer other.Close()
	defer peer.Close()

	get := func(name string) (string, error) {
		to, conn := peer.Offer()
		defer conn.Close()
		ended := make(chan error, 1)
		go func() {
			err := peer.Call("Library.Get", Get{Name: name, To: to}, nil)
			if err != nil {
				conn.(*duplex.Stream).Reset() // nothing comes, or no more: the reader below is not to wait
			}
			ended <- err
		}()
		text, err := io.ReadAll(conn)
		if failed := <-ended; failed != nil {
			err = failed
		}
		return string(text), err
	}
	text, err := get("a book")
	fmt.Println(text, err)
	_, err = get("another")
	fmt.Println(err, errors.As(err, new(rpc.ServerError)))
	// Output:
	// a long text <nil>
	// there is no another true
}
