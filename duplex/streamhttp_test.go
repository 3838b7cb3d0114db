package duplex

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// webProtocols are ways to speak HTTP over streams: package net/http as it is.
var webProtocols = []struct {
	name, proto string
	tls         bool
	set         func(*http.Protocols)
}{
	{"http1", "HTTP/1.1", false, func(p *http.Protocols) { p.SetHTTP1(true) }},
	{"h2c", "HTTP/2.0", false, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
	{"https1", "HTTP/1.1", true, func(p *http.Protocols) { p.SetHTTP1(true) }},
	{"https2", "HTTP/2.0", true, func(p *http.Protocols) { p.SetHTTP2(true) }},
}

// web is a server on one side of a link and a client on the other.
type web struct {
	server *http.Server
	client *http.Client
	served chan error   // what Serve has returned
	opened atomic.Int64 // streams
	url    string
	proto  string
}

// overWeb runs f with each protocol, over real pipes.
func overWeb(t *testing.T, handler http.Handler, f func(t *testing.T, a, b *Conn, w *web)) {
	for _, p := range webProtocols {
		t.Run(p.name, func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				w := &web{served: make(chan error, 1), url: "http://streams", proto: p.proto}
				var protocols http.Protocols
				p.set(&protocols)
				w.server = &http.Server{Handler: handler, Protocols: &protocols}
				transport := &http.Transport{Protocols: &protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					w.opened.Add(1)
					return a.Open(ctx)
				}}
				w.client = &http.Client{Transport: transport}
				serve := w.server.Serve
				if p.tls {
					w.url = "https://streams"
					cert, roots := selfSigned(t, "streams")
					w.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
					transport.TLSClientConfig = &tls.Config{RootCAs: roots}
					serve = func(l net.Listener) error { return w.server.ServeTLS(l, "", "") }
				}
				go func() { w.served <- serve(b.Listener()) }()
				f(t, a, b, w)
				transport.CloseIdleConnections()
				w.server.Close()
				requireNoneLeft(t, a, b)
			})
		})
	}
}

// selfSigned makes a certificate for a name.
func selfSigned(t testing.TB, name string) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// requireNoneLeft checks that the link is up and all streams on it end.
func requireNoneLeft(t testing.TB, a, b *Conn) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for tracesOf(a).table+tracesOf(b).table > 0 {
		_, err := a.Ping(t.Context()) // gives them time
		require.NoError(t, err)
		select {
		case <-limit:
			require.Equal(t, [2]traces{}, [2]traces{tracesOf(a), tracesOf(b)})
		default:
		}
	}
	require.NoError(t, a.Err())
	require.NoError(t, b.Err())
}

func (w *web) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, body)
	if err != nil {
		return nil, err
	}
	return w.client.Do(req)
}

// get returns what the server answers.
func (w *web) get(t testing.TB, path string) string {
	t.Helper()
	res, err := w.do(t.Context(), "GET", path, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, w.proto, res.Proto)
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(got)
}

// TestHTTP: large bodies both ways, many requests at once, and connections that are kept.
func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/upper/{word}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.ToUpper(r.PathValue("word"))+" "+r.RemoteAddr)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	overWeb(t, mux, func(t *testing.T, a, b *Conn, w *web) {
		for i := range 20 {
			require.Equal(t, "WORD opener-0", w.get(t, "/upper/word"), "request %d", i)
		}
		require.EqualValues(t, 1, w.opened.Load(), "streams for requests one after the other")

		want := body(1, 10<<20)
		res, err := w.do(t.Context(), "POST", "/echo", io.MultiReader(bytes.NewReader(want))) // of a length not known
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%d of %d bytes", len(got), len(want))
		require.NoError(t, res.Body.Close())

		res, err = w.do(t.Context(), "POST", "/early", bytes.NewReader(want))
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
		require.NoError(t, res.Body.Close())

		var requests sync.WaitGroup
		for i := range 30 {
			requests.Go(func() {
				want := body(i, 8+i*10_000)
				res, err := w.do(t.Context(), "POST", "/echo", bytes.NewReader(want))
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(want, got) {
					t.Errorf("request %d: %d bytes, %v", i, len(got), err)
				}
			})
		}
		requests.Wait()
	})
}

// TestHTTPShutdown: a server that shuts down finishes what it serves and refuses more.
func TestHTTPShutdown(t *testing.T) {
	started, finish := make(chan struct{}, 1), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-finish
		io.WriteString(w, "done")
	})
	overWeb(t, handler, func(t *testing.T, a, b *Conn, w *web) {
		answer := make(chan string, 1)
		go func() { answer <- w.get(t, "/") }()
		<-started
		shut := make(chan error, 1)
		go func() { shut <- w.server.Shutdown(t.Context()) }()
		require.ErrorIs(t, <-w.served, http.ErrServerClosed)
		_, err := a.Open(t.Context())
		require.ErrorIs(t, err, ErrRefused)
		finish <- struct{}{}
		require.Equal(t, "done", <-answer)
		require.NoError(t, <-shut)
		_, err = w.do(t.Context(), "GET", "/", nil)
		require.ErrorIs(t, err, ErrRefused)
	})
}

// TestHTTPCancel: the server learns that a client waits no more, before and within the answer,
// and the link and other requests go on.
func TestHTTPCancel(t *testing.T) {
	gone := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- r.Context().Err()
		// A client that closes a TLS connection says so before it closes it, and
		// would still take an answer that ends as it should.
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(body(1, 10_000)); err != nil {
				gone <- err
				return
			}
		}
	})
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	overWeb(t, mux, func(t *testing.T, a, b *Conn, w *web) {
		for _, path := range []string{"/wait", "/endless"} {
			ctx, cancel := context.WithCancel(t.Context())
			res, err := w.do(ctx, "GET", path, nil)
			require.NoError(t, err)
			if path == "/endless" {
				_, err := io.CopyN(io.Discard, res.Body, 3<<20)
				require.NoError(t, err)
			}
			require.Equal(t, "ok", w.get(t, "/ok"))
			cancel()
			_, err = io.Copy(io.Discard, res.Body)
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, res.Body.Close())
			require.Error(t, <-gone)
			require.Equal(t, "ok", w.get(t, "/ok"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
		_, err := w.do(ctx, "GET", "/ok", nil)
		if err != nil { // it may have been answered first
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

// TestHTTPLoss: requests fail and the server stops serving when the link ends.
func TestHTTPLoss(t *testing.T) {
	started, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	for _, p := range webProtocols[:2] {
		t.Run(p.name, func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				var protocols http.Protocols
				p.set(&protocols)
				server := &http.Server{Handler: handler, Protocols: &protocols}
				client := &http.Client{Transport: &http.Transport{Protocols: &protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.Open(ctx) }}}
				served := make(chan error, 1)
				go func() { served <- server.Serve(b.Listener()) }()
				failed := make(chan error, 1)
				go func() {
					_, err := client.Get("http://streams")
					failed <- err
				}()
				<-started
				require.NoError(t, a.Close())
				require.Error(t, <-failed)
				require.ErrorIs(t, <-served, ErrPeerClosed)
				<-gone
				_, err := client.Get("http://streams")
				require.ErrorIs(t, err, net.ErrClosed)
				require.NoError(t, server.Close())
			})
		})
	}
}

// TestTLS: a stream carries TLS, whose end can be told from a cut.
func TestTLS(t *testing.T) {
	cert, roots := selfSigned(t, "stream")
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		for _, cut := range []bool{false, true} {
			x, y := streamPair(t, a, b)
			client := tls.Client(x, &tls.Config{RootCAs: roots, ServerName: "stream"})
			server := tls.Server(y, &tls.Config{Certificates: []tls.Certificate{cert}})
			want := body(1, 3<<20)
			echoed := make(chan error, 1)
			go func() {
				_, err := io.Copy(server, server)
				server.CloseWrite()
				echoed <- err
			}()
			go client.Write(want)
			got := make([]byte, len(want))
			_, err := io.ReadFull(client, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
			if cut {
				require.NoError(t, x.Reset())
				require.ErrorIs(t, <-echoed, ErrReset)
			} else {
				require.NoError(t, client.CloseWrite())
				require.NoError(t, <-echoed)
				n, err := client.Read(got)
				require.Zero(t, n)
				require.Equal(t, io.EOF, err)
			}
			client.Close()
			server.Close()
			requireNoneLeft(t, a, b)
		}
	})
	overPipes(t, nil, func(t *testing.T, a, b *Conn) { // a client that does not trust the server
		x, y := streamPair(t, a, b)
		refused := make(chan error, 1)
		go func() {
			refused <- tls.Server(y, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
			y.Close()
		}()
		err := tls.Client(x, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "stream"}).Handshake()
		var unknown x509.UnknownAuthorityError
		require.True(t, errors.As(err, &unknown), "%v", err)
		require.Error(t, <-refused)
		require.NoError(t, x.Close())
		requireNoneLeft(t, a, b)
	})
}
