// Command supervised keeps a child running that crashes under load: every call is answered, or fails
// with an error that says why, and nothing is run twice that may not be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
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

// Order is what the child is asked to do.
type Order struct {
	viaduct.Caller
	ID int
}

// Shop is the child's service.
type Shop struct{}

// Sell tells the parent's books. It must not be run twice.
func (Shop) Sell(order Order, _ *struct{}) error {
	return rpcpipe.FromContext(order.Context()).CallContext(order.Context(), "Books.Sold", order.ID, nil)
}

// Price may be asked again.
func (Shop) Price(id int, price *int) error {
	*price = 2 * id
	return nil
}

// Crash ends the process, whatever else it is doing.
func (Shop) Crash(struct{}, *struct{}) error {
	os.Exit(3)
	return nil
}

// Books is the parent's service. It counts how often each order was run.
type Books struct {
	mu   sync.Mutex
	sold map[int]int
}

// Sold is called by the child.
func (b *Books) Sold(id int, _ *struct{}) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sold[id]++
	return nil
}

// twice counts the orders that were run more than once.
func (b *Books) twice() (orders int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, times := range b.sold {
		if times > 1 {
			orders++
		}
	}
	return orders
}

const workers, orders, crashes = 4, 1000, 10

var verbose = flag.Bool("v", false, "show what differs from run to run")

func parent() error {
	flag.Parse()
	books := &Books{sold: make(map[int]int)}
	if err := rpc.Register(books); err != nil {
		return err
	}
	peer := new(rpcpipe.Options)
	if *verbose {
		peer.Logger = slog.Default() // is told of each crash and restart
	}
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return procspawn.Self(), nil }
	shop, err := rpcpipe.Supervise(context.Background(), command, &rpcpipe.SuperviseOptions{
		Name:       "shop",
		Peer:       peer,
		Restart:    rpcpipe.Restart{Min: 5 * time.Millisecond, Max: 5 * time.Millisecond, Limit: 2 * crashes},
		Idempotent: func(method string) bool { return method == "Shop.Price" },
	})
	if err != nil {
		return err
	}
	defer shop.Close()

	var sold, failed, priced atomic.Int64
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			for id := worker; id < orders; id += workers {
				var down *viaduct.DownError // has what the child died of
				switch err := shop.Call("Shop.Sell", Order{ID: id}, nil); {
				case err == nil:
					sold.Add(1)
				case errors.As(err, &down):
					failed.Add(1)
				default:
					log.Print("unexpected: ", err)
				}
				if err := shop.Call("Shop.Price", id, nil); err == nil {
					priced.Add(1)
				}
				if id%(orders/crashes) == 0 { // one of the workers does that
					shop.Call("Shop.Crash", struct{}{}, nil)
				}
			}
		})
	}
	running.Wait()
	stats := shop.Stats()
	if *verbose {
		fmt.Println("orders failed with the child:", failed.Load())
		fmt.Println("calls made again to the next one:", stats.Repeated)
	}
	fmt.Println("orders sold, or failed with the child:", sold.Load()+failed.Load())
	fmt.Println("orders run twice:", books.twice())
	fmt.Println("prices answered:", priced.Load())
	fmt.Println("children:", stats.Starts)
	return shop.Shutdown(context.Background())
}

func child() error {
	if err := rpc.Register(Shop{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), nil)
	if err != nil {
		return err
	}
	return peer.Wait()
}
