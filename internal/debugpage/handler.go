package debugpage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// Config says how a Handler works. It does not change.
type Config struct {
	Snapshot func() *Snapshot
	Hosts    []string // that requests may name besides those of this machine; "*" for any
	SetHosts string   // what a user has to set to allow more, for the text of a refusal
}

// formats are those of paths, by how they end.
var formats = map[string]string{"json": formatJSON, "metrics": formatPrometheus}

// Handler serves the page, or what its query or the end of its path asks for: format=json and /json,
// format=prometheus and /metrics. With peer=name it has what is called so, alone.
func Handler(c Config) http.Handler { return &handler{c} }

type handler struct{ Config }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Content-Security-Policy", policy)
	if !h.allows(r.Host) {
		http.Error(w, h.refusal(r.Host), http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, fmt.Sprintf("viaduct: %.20q is no method of this page, which is only to be read: GET or HEAD was expected.", r.Method), http.StatusMethodNotAllowed)
		return
	}
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, "viaduct: "+err.Error(), http.StatusBadRequest)
		return
	}
	if format, ok := formats[path.Base(r.URL.Path)]; ok {
		if q.format != "" && q.format != format {
			http.Error(w, fmt.Sprintf("viaduct: this path has the format %s, and format is %q: the same was expected, or none", format, q.format), http.StatusBadRequest)
			return
		}
		q.format = format
	}
	h.write(w, q)
}

func (h *handler) write(w http.ResponseWriter, q query) {
	all := h.Snapshot()
	s, found := all.of(q.peer)
	code := http.StatusOK
	if !found {
		code = http.StatusNotFound
		if q.format != "" { // the page says it itself, and goes on refreshing
			http.Error(w, fmt.Sprintf("viaduct: there is no peer, Supervisor or Pool %.80q: %s", q.peer, all.Names()), code)
			return
		}
	}
	var b bytes.Buffer
	var err error
	kind := "text/html; charset=utf-8"
	switch q.format {
	case formatJSON:
		kind = "application/json"
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	case formatPrometheus:
		kind = "text/plain; version=0.0.4; charset=utf-8"
		writePrometheus(&b, s)
	default:
		err = writePage(&b, s, all, q)
	}
	if err != nil {
		http.Error(w, "viaduct: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(code)
	w.Write(b.Bytes()) // for HEAD net/http leaves it out
}

// JSON returns s in one line.
func (s *Snapshot) JSON() string {
	b, err := json.Marshal(s)
	if err != nil { // its fields can all be written
		return fmt.Sprintf(`{"error":%q}`, err.Error())
	}
	return strings.TrimSpace(string(b))
}
