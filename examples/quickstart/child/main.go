// Command child serves the program that has started it.
package main

import (
	"context"
	"fmt"
	"log"
	"net/rpc"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Page is the argument of Render.
type Page struct {
	viaduct.Caller // who calls, and for how long
	Title          string
}

// Plugin is what the parent may call.
type Plugin struct{}

// Render calls the parent back before it returns.
func (Plugin) Render(page Page, html *string) error {
	ctx, color := page.Context(), ""
	err := rpcpipe.FromContext(ctx).CallContext(ctx, "Host.Setting", "color", &color)
	*html = fmt.Sprintf("<h1 style='color: %s'>%s</h1>", color, page.Title)
	return err
}

func main() {
	rpc.Register(Plugin{}) // before Connect
	parent, err := rpcpipe.Connect(context.Background(), nil)
	if err != nil {
		log.Fatal(err) // it was started by hand, say
	}
	parent.Wait() // until the parent has closed the link
}
