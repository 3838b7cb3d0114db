package main

// A move is a program, and what makes it one that uses viaduct.
type move struct {
	name, what string

	module, version string
	sum             string // of the module, as go.sum has it

	patches []string // in proof/moved/patches, in this order
	tests   []string // packages whose tests are run

	// races are what tests say, each a part of a line, that lose a race of the program's own now and
	// then, before and after: one that says it counts as broken only if it never passes after.
	races []string
}

// goPluginRaces are two. A plugin that is told to quit exits as soon as the method for that has been
// called: often the reply is sent by then, and sometimes it is not. And a plugin that wants TLS, which
// its host does not speak, closes the connection while the host opens streams on it: where the tests
// want that to work and the first call to fail, sometimes it does not work.
var goPluginRaces = []string{"process failed to exit gracefully", "session shutdown", "broken pipe"}

const (
	delve    = "github.com/go-delve/delve"
	goPlugin = "github.com/hashicorp/go-plugin"

	delveVersion    = "v1.27.2"
	delveSum        = "h1:dhcjFjiVoQI53uwsG7EqYiMhdvFuywsBZx4KDOK+sYE="
	goPluginVersion = "v1.8.0"
	goPluginSum     = "h1:ie8S6RRY8RvB2usYZv+AAZ/wBvx2AU5p5QeP5j/FORs="
)

// Of delve's tests, those in service/test speak with the debugger over net/rpc: service/rpc2 is the
// client, service/rpccommon the server, and these two have no tests of their own.
var moves = []move{
	{
		name: "delve", what: "the codec in the place of net/rpc/jsonrpc",
		module: delve, version: delveVersion, sum: delveSum,
		patches: []string{"delve-codec.patch", "delve-tags.patch"},
		tests:   []string{"./service/test"},
	},
	{
		name: "delve-json", what: "the same, with the JSON encoding",
		module: delve, version: delveVersion, sum: delveSum,
		patches: []string{"delve-codec.patch", "delve-json.patch"},
		tests:   []string{"./service/test"},
	},
	{
		name: "go-plugin", what: "the codec in the place of net/rpc's own",
		module: goPlugin, version: goPluginVersion, sum: goPluginSum,
		patches: []string{"go-plugin-codec.patch"},
		tests:   []string{"./..."},
		races:   goPluginRaces,
	},
	{
		name: "go-plugin-duplex", what: "the codec, and duplex in the place of yamux",
		module: goPlugin, version: goPluginVersion, sum: goPluginSum,
		patches: []string{"go-plugin-codec.patch", "go-plugin-duplex.patch"},
		tests:   []string{"./..."},
		races:   goPluginRaces,
	},
}
