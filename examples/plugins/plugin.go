package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/rpc"
	"os"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// appName is what all plugins of this kind say they are.
const appName = "text-plugin"

// Text is what a plugin works on.
type Text struct {
	viaduct.Caller
	Text string
}

// Plugin is the service that every plugin has.
type Plugin struct{ apply func(string) string }

// Apply returns what the plugin makes of a text.
func (p *Plugin) Apply(t Text, result *string) error {
	if t.Text == "dawdle" { // until nobody waits any more
		<-t.Context().Done()
		return t.Fail(t.Context().Err())
	}
	if len(t.Text) > 1 {
		// Not by slog's default logger: a call may come before main has set that.
		slog.New(rpcpipe.FromContext(t.Context()).LogHandler(nil)).Info("applied", "letters", len(t.Text))
	}
	*result = p.apply(t.Text)
	return nil
}

var kinds = map[string]func(string) string{
	"upper": strings.ToUpper,
	"old":   strings.TrimSpace,
	"count": func(text string) string {
		words := strings.Fields(text)
		if len(words) == 0 {
			panic("nothing to count")
		}
		return fmt.Sprint(len(words))
	},
}

// plugin serves the host until that ends the link.
func plugin() error {
	name, version := split(os.Args[0])
	apply := kinds[name]
	if apply == nil {
		return fmt.Errorf("there is no plugin %q", name)
	}
	server := rpc.NewServer()
	if err := server.Register(&Plugin{apply}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Server: server, Name: appName, Version: version})
	if err != nil {
		return err
	}
	return peer.Wait() // nil when the host has closed the link
}

// patience is how long the host waits for a plugin.
const patience = 2 * time.Second
