package rpcpipe_test

import (
	"context"
	"fmt"
	"log"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// exportObject makes an object of a service, for the other side of p: the name goes there in an
// argument or a reply. The object is served until either side closes it, or p ends.
func exportObject(p *rpcpipe.Peer, service any) (rpcpipe.StreamName, error) {
	server := rpc.NewServer()
	if err := server.RegisterName("Object", service); err != nil {
		return 0, err
	}
	name, stream := p.Offer()
	go func() { // New waits until the other side has opened the stream, 10 s at most
		if _, err := rpcpipe.New(context.Background(), stream, &rpcpipe.Options{Server: server}); err != nil {
			log.Print(err)
		}
	}()
	return name, nil
}

// openObject returns the object that the other side of p has exported. Whoever has opened it closes
// it.
func openObject(ctx context.Context, p *rpcpipe.Peer, name rpcpipe.StreamName) (*rpcpipe.Peer, error) {
	stream, err := p.OpenOffer(ctx, name)
	if err != nil {
		return nil, err
	}
	return rpcpipe.New(ctx, stream, &rpcpipe.Options{Server: rpc.NewServer()}) // it has nothing to call here
}

// Customer is the argument of Bank.Open.
type Customer struct {
	viaduct.Caller
	Name  string
	Phone rpcpipe.StreamName // an object of the customer's, which is called
}

// Bank is a service that is registered, and known by its name.
type Bank struct{}

// Open tells the customer, and replies with an account.
func (Bank) Open(c Customer, account *rpcpipe.StreamName) error {
	ctx := c.Context()
	peer := rpcpipe.FromContext(ctx)
	phone, err := openObject(ctx, peer, c.Phone)
	if err != nil {
		return err
	}
	defer phone.Close()
	if err := phone.CallContext(ctx, "Object.Ring", "welcome, "+c.Name, nil); err != nil {
		return err
	}
	*account, err = exportObject(peer, new(Account))
	return err
}

// Account is an object: each customer has one.
type Account struct {
	mu      sync.Mutex
	balance int
}

// Deposit replies with the new balance.
func (a *Account) Deposit(amount int, balance *int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.balance += amount
	*balance = a.balance
	return nil
}

// Phone is an object of the caller's.
type Phone struct{}

func (Phone) Ring(text string, _ *struct{}) error {
	fmt.Println("ring:", text)
	return nil
}

// A service is passed as an argument, and another one comes back as a reply: each is served at the end
// of a stream of its own, with a server of its own.
func Example_objects() {
	server := rpc.NewServer()
	if err := server.Register(Bank{}); err != nil {
		log.Fatal(err)
	}
	peer, other := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	defer other.Close()
	defer peer.Close()

	phone, err := exportObject(peer, Phone{})
	if err != nil {
		log.Fatal(err)
	}
	var name rpcpipe.StreamName
	if err := peer.Call("Bank.Open", Customer{Name: "Ada", Phone: phone}, &name); err != nil {
		log.Fatal(err)
	}
	account, err := openObject(context.Background(), peer, name)
	if err != nil {
		log.Fatal(err)
	}
	defer account.Close() // and it ends there, too
	var balance int
	for _, amount := range []int{20, 22} {
		if err := account.Call("Object.Deposit", amount, &balance); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(balance)
	// Output:
	// ring: welcome, Ada
	// 42
}
