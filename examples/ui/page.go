package main

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/rpc"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

//go:embed page
var files embed.FS

// Page shows the job in a browser. It is the child's service.
type Page struct {
	board Board // a copy of the parent's

	// Set by Serve.
	job    *rpcpipe.Peer
	log    *slog.Logger
	server *http.Server
}

// Place is where the page is to be found.
type Place struct {
	viaduct.Caller
	Addr  string // host and port
	Token string // in the URL: who does not know it sees nothing, and presses nothing
}

// Serve begins to serve the page, and returns the address.
func (p *Page) Serve(place Place, addr *string) error {
	l, err := net.Listen("tcp", place.Addr)
	if err != nil {
		return err
	}
	place.Addr = l.Addr().String()
	*addr = place.Addr
	p.job = rpcpipe.FromContext(place.Context())
	p.log = slog.New(p.job.LogHandler(nil))
	p.server = &http.Server{Handler: p.handler(place), ReadHeaderTimeout: 5 * time.Second}
	go p.server.Serve(l) // until end
	return nil
}

// Show shows what has changed.
func (p *Page) Show(news View, _ *struct{}) error {
	p.board.merge(news)
	return nil
}

// handler lets pass what knows the token, and is neither sent by a page of another site nor for a name
// that such a site has made to mean this machine.
func (p *Page) handler(place Place) http.Handler {
	static, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // page is a good name
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(static))
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("POST /{action}", p.act)
	inner := http.StripPrefix("/"+place.Token, http.NewCrossOriginProtection().Handler(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Host != place.Addr || subtle.ConstantTimeCompare([]byte(token), []byte(place.Token)) != 1 {
			http.Error(w, "This is not the address that the program has printed.", http.StatusForbidden)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src data:; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		inner.ServeHTTP(w, r)
	})
}

// events tells a page what has changed, as server-sent events.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	p.log.Info("the page is open")
	w.Header().Set("Content-Type", "text/event-stream")
	for version := 0; ; {
		view, now, changed := p.board.since(version)
		text, err := json.Marshal(view)
		if err == nil {
			_, err = fmt.Fprintf(w, "data: %s\n\n", text)
		}
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil || view.Ended != "" {
			return
		}
		version = now
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// act has the parent do what a button says.
func (p *Page) act(w http.ResponseWriter, r *http.Request) {
	method := map[string]string{"start": "Job.Start", "pause": "Job.Pause", "resume": "Job.Resume", "cancel": "Job.Cancel"}[r.PathValue("action")]
	if method == "" {
		http.NotFound(w, r)
	} else if err := p.job.CallContext(r.Context(), method, struct{}{}, nil); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// end has the server end when all pages have what there is to tell.
func (p *Page) end() {
	if p.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.server.Shutdown(ctx)
}

// child serves the page as long as there is a parent.
func child() error {
	page := new(Page)
	if err := rpc.Register(page); err != nil {
		return err
	}
	// A child is to be gone 1 s after its parent. This one may have something to tell.
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{ExitTimeout: 10 * time.Second})
	if err != nil {
		return err
	}
	if err := peer.Wait(); err != nil { // a parent that ends in order has said so, by Show
		page.board.change(func(v *View, _ int) {
			v.Ended = "The program is gone: it has crashed, or was killed. This is the last it said."
		})
	}
	page.end()
	return nil
}
