// Command parent starts bin/child, and calls a method in it.
package main

import (
	"context"
	"fmt"
	"log"
	"net/rpc"
	"os/exec"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Host is what the child may call: settings by name.
type Host map[string]string

func (h Host) Setting(name string, value *string) error {
	*value = h[name]
	return nil
}

func main() {
	rpc.Register(Host{"color": "green"}) // before Start
	child, err := rpcpipe.Start(context.Background(), exec.Command("bin/child"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer child.Close() // ends it, and waits for it
	var html string
	err = child.Call("Plugin.Render", struct{ Title string }{"News"}, &html)
	fmt.Println(html, err)
}
