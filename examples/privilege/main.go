// Command privilege keeps a privilege in the parent and does the dangerous work in a child without
// it. The parent, run as root, starts the child as another user; the child gets what it needs from
// root by two narrow methods and a listener. Not run as root it goes on without another user, and
// says so.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"time"

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

func parent() error {
	folder, err := os.MkdirTemp("", "privilege") // only this user gets in
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for name, text := range map[string]string{"motd": "Welcome.", "key": "Nobody may know this."} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a server has port 443 here
	if err != nil {
		return err
	}
	defer listener.Close()
	peer, err := start(folder, listener)
	if err != nil {
		return err
	}
	defer peer.Close()

	// What is said to the child has a deadline: it may have been taken over, and hang.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := peer.CallContext(ctx, "Child.Work", filepath.Join(folder, "key"), nil); err != nil {
		return err
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	fmt.Printf("parent: on the parent's port the child says %q\n", answer)
	journal, err := os.ReadFile(filepath.Join(folder, "journal"))
	if err != nil {
		return err
	}
	fmt.Printf("parent: the journal has %q\n", journal)
	return nil
}

// start starts the child, as another user if that is possible.
func start(folder string, listener net.Listener) (*rpcpipe.Peer, error) {
	server := rpc.NewServer() // not the default one: the child may call what is registered here
	if err := server.Register(&Vault{folder: folder}); err != nil {
		return nil, err
	}
	port, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer port.Close()
	cmd := procspawn.Self()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{port} // descriptor 3 of the child
	about, err := asOther(cmd)
	if err != nil {
		return nil, err
	}
	fmt.Println("parent: the child", about)
	return rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
		Server:      server,
		Env:         []string{"GORACE"}, // what else is in the environment is not for the child
		MaxMessage:  64 << 10,
		MaxHandlers: 4, MaxWaiting: 16,
		OnThread:    forGood,
		ParentDeath: procspawn.KillWithParent,
		Logger:      slog.Default(),
	})
}

// Child is the service of the child.
type Child struct{ peer chan *rpcpipe.Peer }

// Work does what a child does that has been taken over: it tries what it can get.
func (c *Child) Work(key string, _ *struct{}) error {
	peer := <-c.peer
	for _, a := range attempts(key) {
		fmt.Printf("child: %s by itself: %s\n", a.what, outcome(a.do()))
	}
	for _, name := range []string{"motd", "key", "../etc/shadow"} {
		var text []byte
		err := peer.Call("Vault.Read", name, &text)
		fmt.Printf("child: asks for %s: %s%s\n", name, text, refusal(err))
	}
	for _, text := range []string{"the child was here", "two\nlines"} {
		fmt.Printf("child: notes %q: %s\n", text, outcome(peer.Call("Vault.Note", text, nil)))
	}
	return nil
}

func refusal(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func outcome(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

func child() error {
	service := &Child{peer: make(chan *rpcpipe.Peer, 1)}
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	go serve(listener)
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Server: server, Logger: slog.Default()})
	if err != nil {
		return err
	}
	service.peer <- peer
	return peer.Wait()
}

// serve greets whoever comes.
func serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		io.WriteString(conn, "hello")
		conn.Close()
	}
}
