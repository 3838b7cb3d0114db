package rpcpipe_test

import (
	"expvar"
	"log"
	"net/http"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A page that shows what is going on, for a browser on this machine.
func ExampleDebugHandler() {
	http.Handle("/debug/viaduct/", rpcpipe.DebugHandler(nil))
	go http.ListenAndServe("localhost:6060", nil)
}

// A program that serves pprof has the page beside it, and the figures among those of expvar.
func ExampleVars() {
	expvar.Publish("viaduct", rpcpipe.Vars())
	http.Handle("/debug/viaduct/", rpcpipe.DebugHandler(nil)) // beside net/http/pprof
	log.Fatal(http.ListenAndServe("localhost:6060", nil))
}
