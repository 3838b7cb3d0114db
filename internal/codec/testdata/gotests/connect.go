// What Go's own tests of net/rpc use instead of net/rpc's ways to connect that
// viaduct has no function for. TestGoOwnTests puts it beside them.

package rpc

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"

	"github.com/viaduct-go/viaduct"
)

// accept is [rpc.Server.Accept].
func accept(server *rpc.Server, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Print("accept: ", err)
			return
		}
		go serveConn(server, conn)
	}
}

// serveConn is [rpc.Server.ServeConn].
func serveConn(server *rpc.Server, conn io.ReadWriteCloser) {
	(&viaduct.Options{Server: server}).ServeConn(conn)
}

const connected = "200 Connected to viaduct"

// handleHTTP is [rpc.Server.HandleHTTP], without the page for debugging.
func handleHTTP(server *rpc.Server, path string) {
	http.HandleFunc("CONNECT "+path, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			log.Print("hijacking: ", err)
			return
		}
		io.WriteString(conn, "HTTP/1.0 "+connected+"\n\n")
		serveConn(server, conn)
	})
}

// connectHTTP is [rpc.DialHTTPPath].
func connectHTTP(network, address, path string) (*rpc.Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	io.WriteString(conn, "CONNECT "+path+" HTTP/1.0\n\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err == nil && resp.Status != connected {
		err = errors.New("unexpected HTTP response: " + resp.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return viaduct.NewClient(conn), nil
}

// serveRequest is [rpc.Server.ServeRequest] for the tests' CodecEmulator, whose
// request and response are moved over a connection.
func serveRequest(server *rpc.Server, emulator rpc.ServerCodec) error {
	x, y := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- server.ServeRequest(viaduct.NewServerCodec(y)) }()
	client := viaduct.NewClientCodec(x)
	err := moveCall(client, emulator)
	client.Close()
	return errors.Join(err, <-served)
}

func moveCall(client rpc.ClientCodec, emulator rpc.ServerCodec) error {
	var req rpc.Request
	if err := emulator.ReadRequestHeader(&req); err != nil {
		return err
	}
	var args Args
	if err := emulator.ReadRequestBody(&args); err != nil {
		return err
	}
	if err := client.WriteRequest(&req, &args); err != nil {
		return err
	}
	var resp rpc.Response
	if err := client.ReadResponseHeader(&resp); err != nil {
		return err
	}
	var reply Reply
	if err := client.ReadResponseBody(&reply); err != nil {
		return err
	}
	return emulator.WriteResponse(&resp, &reply)
}
