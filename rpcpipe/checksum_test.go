package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

func init() {
	children["asks for checksums"] = func([]string) {
		s := newService()
		opts := s.options()
		opts.Checksum = true
		s.use(connect(opts)).Wait()
	}
	children["knows no checksums"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), plainHello())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		io.Copy(io.Discard, link)
	}
}

// plainHello is that of an older peer.
func plainHello() *procspawn.Options {
	opts := new(procspawn.Options)
	handles.SetHello(opts, handles.Hello{Features: []string{"streams", "shutdown", "calls"}})
	return opts
}

// exercise has a link carry some of everything.
func exercise(t *testing.T, p *rpcpipe.Peer) {
	t.Helper()
	for _, size := range []int{0, 100, 40_000, 1 << 20} {
		var reply []byte
		sent := []byte(strings.Repeat("x", size))
		require.NoError(t, p.Call("Service.Echo", sent, &reply))
		require.Equal(t, len(sent), len(reply))
	}
	var n int
	for range 200 { // whose sums are more than what credit differs by
		require.NoError(t, p.Call("Service.Nest", 1, &n))
	}
	accepted := p.Go("Service.AcceptEcho", 0, new(int), nil)
	s, err := p.Open(t.Context())
	require.NoError(t, err)
	go func() {
		io.WriteString(s, strings.Repeat("y", 300_000))
		s.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(s)
	require.NoError(t, err)
	require.Len(t, got, 300_000)
	require.NoError(t, s.Close())
	<-accepted.Done
	require.NoError(t, accepted.Error)
}

// TestChecksumChild: a child checks, whichever side asks for it, and all is as it was.
func TestChecksumChild(t *testing.T) {
	t.Parallel()
	sizes := map[string]uint64{}
	for _, tt := range []struct {
		name, child string
		asks        bool
	}{
		{"nobody asks", "service", false},
		{"the parent asks", "service", true},
		{"the child asks", "asks for checksums", false},
		{"both ask", "asks for checksums", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			here := newService()
			opts := here.options()
			opts.Checksum = tt.asks
			p, err := rpcpipe.Start(t.Context(), procspawn.Self(tt.child), opts)
			require.NoError(t, err)
			here.use(p)
			exercise(t, p)
			sizes[tt.name] = p.Stats().Link.BytesOut
			require.NoError(t, p.Shutdown(t.Context()))
			require.NoError(t, p.Wait())
		})
	}
	for _, name := range []string{"the parent asks", "the child asks", "both ask"} {
		require.Greater(t, sizes[name], sizes["nobody asks"]+1500, "bytes of %s", name)
	}
}

// TestChecksumRefused: who asks for it does not connect to one that cannot.
func TestChecksumRefused(t *testing.T) {
	opts := &rpcpipe.Options{Checksum: true}
	_, err := rpcpipe.Start(t.Context(), procspawn.Self("knows no checksums"), opts)
	require.ErrorIs(t, err, rpcpipe.ErrNoChecksum)
	require.ErrorAs(t, err, new(*procspawn.StartError))

	a, b := net.Pipe()
	other := make(chan error, 1)
	go func() {
		_, err := procspawn.Handshake(context.Background(), b, plainHello())
		if err == nil {
			_, err = b.Read(make([]byte, 1))
		}
		other <- err
	}()
	_, err = rpcpipe.New(t.Context(), a, opts)
	require.ErrorIs(t, err, rpcpipe.ErrNoChecksum)
	require.ErrorIs(t, <-other, io.EOF)

	// Nobody asks: it connects.
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("knows no checksums"), nil)
	require.NoError(t, err)
	require.NoError(t, p.Close())
}

// flipped is a connection that turns over one bit of what is written.
type flipped struct {
	net.Conn
	mu      sync.Mutex
	bit, at int
}

func (f *flipped) Write(p []byte) (int, error) {
	f.mu.Lock()
	p = append([]byte(nil), p...)
	if i := f.bit/8 - f.at; i >= 0 && i < len(p) {
		p[i] ^= 1 << (f.bit % 8)
	}
	f.at += len(p)
	f.mu.Unlock()
	return f.Conn.Write(p)
}

// TestChecksumHello: a bit of a hello that was turned over ends the link before anything is called.
func TestChecksumHello(t *testing.T) {
	t.Parallel()
	hello := 0
	for bit := 0; hello == 0 || bit < 8*hello; bit++ {
		synctest.Test(t, func(t *testing.T) {
			x, y := net.Pipe()
			f := &flipped{Conn: x, bit: bit}
			if hello == 0 { // the first one only finds out how long it is
				f.bit = 8 << 20
			}
			other, here := newService(), newService()
			opts := func(s *Service) *rpcpipe.Options {
				o := s.options()
				o.Checksum, o.HandshakeTimeout, o.Keepalive = bit%2 == 0 || s == here, time.Second, time.Second
				return o
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if p, err := rpcpipe.New(t.Context(), y, opts(other)); err == nil {
					other.use(p).Wait()
					p.Close()
				}
			}()
			p, err := rpcpipe.New(t.Context(), f, opts(here))
			if err != nil {
				require.NotZero(t, hello)
				<-done
				return
			}
			f.mu.Lock()
			size := f.at
			f.mu.Unlock()
			err = p.Call("Service.Echo", []byte("x"), new([]byte))
			if hello == 0 {
				require.NoError(t, err)
				p.Close()
			} else if !assert.Error(t, err, "bit %d of %d", bit, 8*hello) {
				p.Close()
			} else {
				require.NotErrorIs(t, err, duplex.ErrUnresponsive)
			}
			p.Wait()
			<-done
			if hello == 0 {
				hello, bit = size, -1
			}
		})
	}
}

// TestChecksumFaults: with Keepalive, each frame that is lost, doubled or damaged ends the link with an
// error that says so, or the answer is right.
func TestChecksumFaults(t *testing.T) {
	kinds := map[string]func(rpctest.Point) rpctest.Fault{"drop": rpctest.Drop, "duplicate": rpctest.Duplicate, "corrupt": rpctest.Corrupt}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			sums := 0
			for n := int64(1); ; n++ { // 0 is the hello
				happened := false
				synctest.Test(t, func(t *testing.T) {
					link := rpctest.NewLink(&rpctest.LinkOptions{Seed: uint64(n), AToB: []rpctest.Fault{kind(rpctest.Frame(n))}})
					here, there := newService(), newService()
					opts := here.options()
					opts.Checksum, opts.Keepalive = true, time.Second
					others := there.options()
					others.Keepalive = time.Second
					a, b := rpctest.Pair(t, link, opts, others)
					here.use(a)
					there.use(b)
					var err error
					for size := 10; size < 100_000 && err == nil; size *= 10 {
						var reply []byte
						sent := []byte(strings.Repeat("x", size))
						if err = a.Call("Service.Echo", sent, &reply); err == nil {
							require.Equal(t, string(sent), string(reply))
						}
					}
					if err == nil {
						err = a.Shutdown(t.Context())
					}
					happened = len(link.Happened()) > 0
					a.Close()
					a.Wait()
					b.Wait()
					if err != nil {
						require.ErrorAs(t, b.Err(), new(*duplex.ChecksumError), "frame %d", n)
						sums++
					}
				})
				if !happened {
					require.Greater(t, n, int64(8))
					break
				}
			}
			require.Greater(t, sums, 6)
		})
	}
}

// TestChecksumTap: what is recorded has no checksums, and is the same.
func TestChecksumTap(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{
		Checksum: true, Tap: &rpcpipe.Tap{File: name, Contents: true},
	})
	require.NoError(t, err)
	secrets(t, p)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
	methods, stream := map[string]int{}, 0
	list := readTap(t, name)
	for _, rec := range list {
		if rec.Kind != tap.KindFrame {
			continue
		}
		if f := rec.Frame; f.Named && rec.Out && f.Name.Type != tap.Response {
			methods[f.Name.Method]++
		} else if rec.Out && f.Kind&^1 == 0x42 {
			stream += f.Length
		}
	}
	assert.Equal(t, map[string]int{"Tapped.Echo": 3, "Tapped.Fail": 1, "Tapped.Read": 1}, methods)
	assert.Equal(t, 30_000*len(tapSecret), stream)
	end := list[len(list)-1]
	assert.Equal(t, tap.KindEnd, end.Kind)
	assert.Zero(t, end.Unsent)
	assert.Zero(t, end.Partial)
}

// TestChecksumPair: peers in memory check as well, if one asks for it.
func TestChecksumPair(t *testing.T) {
	here, there := newService(), newService()
	opts := there.options()
	opts.Checksum = true
	a, b := rpcpipe.Pair(here.options(), opts)
	here.use(a)
	there.use(b)
	exercise(t, a)
	exercise(t, b)
	a.Close()
	require.NoError(t, errors.Join(a.Wait(), b.Wait()))
}
