package rpcpipe_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// tapVariable is what the programs of this file have as Options.TapEnv.
const tapVariable = "VIADUCT_TEST_TAP"

func init() {
	children["tapped"] = func([]string) {
		rpc.RegisterName("Tapped", Tapped{})
		connect(&rpcpipe.Options{TapEnv: tapVariable}).Wait()
	}
}

// Tapped is what such a child serves.
type Tapped struct{}

func (Tapped) Env(name string, value *string) error {
	v, ok := os.LookupEnv(name)
	*value = v
	if !ok {
		*value = "none"
	}
	return nil
}

func (Tapped) Fail(c *CallerArg, _ *string) error {
	return c.Fail(&viaduct.Error{Message: "an error with " + tapSecret})
}

func (Tapped) Echo(text string, reply *string) error { *reply = text; return nil }

func (Tapped) Read(c *CallerArg, n *int64) error {
	s, err := rpcpipe.FromContext(c.Context()).Accept()
	if err != nil {
		return err
	}
	defer s.Close()
	*n, err = io.Copy(io.Discard, s)
	return err
}

// CallerArg is an argument with nothing in it but the call.
type CallerArg struct{ viaduct.Caller }

const tapSecret = "s3cret"

// readTap returns the records of a file.
func readTap(t *testing.T, name string) (list []tap.Record) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	r, err := tap.NewReader(f)
	require.NoError(t, err)
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list = append(list, rec)
	}
}

// secrets says tapSecret in each way there is.
func secrets(t *testing.T, p *rpcpipe.Peer) {
	t.Helper()
	ctx := viaduct.WithMetadata(t.Context(), map[string]string{tapSecret: tapSecret})
	long := strings.Repeat(tapSecret, 30000)
	var reply string
	require.NoError(t, p.CallContext(ctx, "Tapped.Echo", tapSecret, &reply))
	require.NoError(t, p.CallContext(ctx, "Tapped.Echo", long, &reply))
	require.Equal(t, long, reply)
	require.ErrorContains(t, p.Call("Tapped.Fail", &CallerArg{}, nil), tapSecret)
	require.NoError(t, p.Notify(ctx, "Tapped.Echo", tapSecret))
	done := p.Go("Tapped.Read", &CallerArg{}, new(int64), nil)
	s, err := p.Open(t.Context())
	require.NoError(t, err)
	_, err = io.WriteString(s, long)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	<-done.Done
	require.NoError(t, done.Error)
}

// TestTap: a child is recorded. Without contents nothing is in the file that was said.
func TestTap(t *testing.T) {
	for _, contents := range []bool{false, true} {
		name := filepath.Join(testkit.TempDir(t), "a.tap")
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{Tap: &rpcpipe.Tap{File: name, Contents: contents}})
		require.NoError(t, err)
		secrets(t, p)
		require.NoError(t, p.Shutdown(t.Context()))
		require.NoError(t, p.Wait())
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, contents, bytes.Contains(file, []byte(tapSecret)))
		list := readTap(t, name)
		assert.Equal(t, tap.KindBegin, list[0].Kind)
		info := list[0].Info
		assert.Equal(t, tap.Parent, info.Role)
		assert.Equal(t, os.Getpid(), info.Here.Pid)
		assert.Equal(t, p.Remote().Pid, info.There.Pid)
		assert.Equal(t, tap.KindEnd, list[len(list)-1].Kind)
		assert.Zero(t, list[len(list)-1].Unsent)
		calls, failed := 0, 0
		for _, rec := range list {
			if rec.Frame.Named && rec.Out && rec.Frame.Name.Type == tap.Request {
				calls++
			}
			if rec.Frame.Named && !rec.Out && rec.Frame.Name.Failed {
				failed++
			}
		}
		assert.Equal(t, 4, calls)
		assert.Equal(t, 1, failed)
	}
}

// TestTapFileThere: what is there is not written over, and nothing is started.
func TestTapFileThere(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	require.NoError(t, os.WriteFile(name, []byte("mine"), 0o600))
	opts := func() *rpcpipe.Options { return &rpcpipe.Options{Tap: &rpcpipe.Tap{File: name}} }
	cmd := procspawn.Self("tapped")
	_, err := rpcpipe.Start(t.Context(), cmd, opts())
	require.ErrorContains(t, err, name+" is there already")
	assert.Nil(t, cmd.Process)
	here, there := net.Pipe()
	defer there.Close()
	_, err = rpcpipe.New(t.Context(), here, opts())
	require.ErrorContains(t, err, "is there already")
	_, err = here.Write([]byte{0})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Panics(t, func() { rpcpipe.Pair(opts(), nil) })
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{Tap: &rpcpipe.Tap{MaxBytes: 5}})
	require.ErrorContains(t, err, "Tap.MaxBytes is 5: 65536 or more was expected")
	file, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(file))
}

// TestTapEnv: whoever starts a program has it recorded, by a variable that its child does not get.
func TestTapEnv(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "%p.tap")
	t.Setenv(tapVariable, name+",contents")
	opts := &rpcpipe.Options{TapEnv: tapVariable}
	for range 2 { // both links share the file
		cmd := procspawn.Self("tapped")
		p, err := rpcpipe.Start(t.Context(), cmd, opts)
		require.NoError(t, err)
		assert.Nil(t, cmd.Env)
		var value string
		require.NoError(t, p.Call("Tapped.Env", tapVariable, &value))
		assert.Equal(t, "none", value)
		require.NoError(t, p.Call("Tapped.Env", "PATH", &value))
		assert.Equal(t, os.Getenv("PATH"), value)
		p.Close()
		p.Wait()
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	list := readTap(t, files[0])
	assert.Equal(t, uint32(2), list[len(list)-1].Link)

	// A child that is to be recorded is told so by the one who starts it.
	child := filepath.Join(testkit.TempDir(t), "child.tap")
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{Env: []string{"*", tapVariable + "=" + child}})
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(t.Context()))
	p.Wait()
	assert.Equal(t, tap.Child, readTap(t, child)[0].Info.Role)

	t.Setenv(tapVariable, "x,everything")
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("tapped"), opts)
	require.ErrorContains(t, err, `the variable VIADUCT_TEST_TAP of the environment: "x,everything" has "everything" behind`)
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{TapEnv: "A=B"})
	require.ErrorContains(t, err, `Options.TapEnv is "A=B"`)
}

// TestTwoProgramsToOneFile: the second one is refused, and says why.
func TestTwoProgramsToOneFile(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	env := []string{"*", tapVariable + "=" + name}
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{Env: env})
	require.NoError(t, err)
	defer p.Close()
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("tapped"), &rpcpipe.Options{Env: env})
	require.ErrorContains(t, err, name+" is there already, and is not written over")
	require.NoError(t, p.Call("Tapped.Echo", "", nil))
	require.NoError(t, p.Shutdown(t.Context()))
	p.Wait()
	assert.Len(t, begins(readTap(t, name)), 1)
}

func begins(list []tap.Record) (found []tap.Record) {
	for _, rec := range list {
		if rec.Kind == tap.KindBegin {
			found = append(found, rec)
		}
	}
	return found
}

// TestTapInMemory: the latest records of all links are kept, until they are saved.
func TestTapInMemory(t *testing.T) {
	ring := &rpcpipe.Tap{}
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("Tapped", Tapped{}))
	for range 2 {
		a, b := rpcpipe.Pair(&rpcpipe.Options{Server: server, Tap: ring}, &rpcpipe.Options{Server: server, Tap: ring})
		var reply string
		require.NoError(t, a.Call("Tapped.Echo", "x", &reply))
		a.Close()
		b.Wait()
		a.Wait()
	}
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	require.NoError(t, ring.Save(name))
	assert.Len(t, begins(readTap(t, name)), 4)
	var b bytes.Buffer
	n, err := ring.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, int64(b.Len()), n)
}

// TestNoTapOnBare: what has no frames is not recorded, and that is not kept secret.
func TestNoTapOnBare(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	p := rpcpipe.NewBare(here, &rpcpipe.Options{Tap: &rpcpipe.Tap{}})
	<-p.Done()
	assert.ErrorContains(t, p.Err(), "Options.Tap is set, and what goes over a bare connection is not recorded")
	t.Setenv(tapVariable, filepath.Join(testkit.TempDir(t), "a.tap"))
	var log safeBuffer
	here, there = net.Pipe()
	defer there.Close()
	p = rpcpipe.NewBare(here, &rpcpipe.Options{TapEnv: tapVariable, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p.Close()
	assert.Contains(t, log.String(), "is ignored")
}

// BenchmarkTap is a lone call without a tap, with one that records sizes, and with contents, in memory.
func BenchmarkTap(b *testing.B) {
	for name, t := range map[string]*rpcpipe.Tap{"off": nil, "sizes": {}, "contents": {Contents: true}} {
		b.Run(name, func(b *testing.B) {
			p, err := rpcpipe.Start(context.Background(), procspawn.Self("tapped"), &rpcpipe.Options{Tap: t})
			require.NoError(b, err)
			defer p.Close()
			var reply string
			for b.Loop() {
				if err := p.Call("Tapped.Echo", "hello", &reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
