package procspawn

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// The deaf helper reads nothing until its stdin ends, and then all.
var _ = helper("deaf", func(args []string) {
	l := connect(nil)
	l.Write([]byte{1})
	io.Copy(io.Discard, os.Stdin)
	n, err := io.Copy(io.Discard, l)
	fmt.Fprintln(os.Stderr, "read", n, err)
})

// startDeaf returns a deaf child and a function that lets it read.
func startDeaf(t *testing.T) (p *Process, listen func()) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	t.Cleanup(func() { w.Close() })
	cmd := selfCmd("deaf")
	cmd.Stdin = r
	p = startChild(t, cmd, &Options{CloseTimeout: 10 * time.Second})
	_, err = p.Link().Read(make([]byte, 1)) // our hello is out of the pipe
	require.NoError(t, err)
	return p, func() { w.Close() }
}

func TestWriteNow(t *testing.T) {
	onlyUnix(t, "a pipe takes a write whole or makes it wait")
	noLeaks(t)
	p, listen := startDeaf(t)
	l := p.Link()
	n, err := l.WriteNow(nil)
	assert.Equal(t, 0, n)
	assert.NoError(t, err)

	// Fill the pipe: what fits goes in, then nothing, and nobody waits.
	total := 0
	buf := make([]byte, 48<<10)
	for {
		n, err := l.WriteNow(buf)
		require.NoError(t, err)
		if total += n; n == 0 {
			break
		}
	}
	assert.GreaterOrEqual(t, total, 4096)

	// Beside a Write that waits, WriteNow does not.
	wrote := make(chan error, 1)
	go func() {
		_, err := l.Write(buf)
		wrote <- err
	}()
	within(t, 500*time.Millisecond, "WriteNow", func() {
		for range 1000 {
			n, err := l.WriteNow(buf)
			assert.Equal(t, 0, n)
			assert.NoError(t, err)
		}
	})

	listen()
	require.NoError(t, <-wrote)
	exit := p.Stop()
	assert.Equal(t, fmt.Sprintf("read %d parent %d is gone\n", total+len(buf), os.Getpid()), string(exit.Stderr))

	_, err = l.WriteNow([]byte{1})
	assert.ErrorIs(t, err, os.ErrClosed)
}

func TestCloseReleasesReadAndWrite(t *testing.T) {
	noLeaks(t)
	p, listen := startDeaf(t)
	l := p.Link()
	var wg sync.WaitGroup
	started := make(chan struct{}, 2)
	wg.Go(func() {
		started <- struct{}{}
		_, err := l.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrClosed)
	})
	wg.Go(func() {
		started <- struct{}{}
		_, err := l.Write(make([]byte, 1<<20))
		assert.ErrorIs(t, err, os.ErrClosed)
	})
	<-started
	<-started
	within(t, 500*time.Millisecond, "Close", func() {
		var closers sync.WaitGroup
		for range 4 {
			closers.Go(func() { assert.NoError(t, l.Close()) })
		}
		closers.Wait()
		wg.Wait()
	})
	listen()
	assert.Equal(t, StepCloseLink, p.Stop().Step)
}

// A child that is killed while its parent reads and writes.
func TestKilledChildReleasesReadAndWrite(t *testing.T) {
	noLeaks(t)
	p, _ := startDeaf(t)
	l := p.Link()
	errs := make(chan error, 2)
	go func() {
		_, err := l.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		_, err := l.Write(make([]byte, 1<<20))
		errs <- err
	}()
	require.NoError(t, p.cmd.Process.Kill())
	within(t, 100*time.Millisecond, "noticing", func() {
		for range 2 {
			<-errs
		}
	})
	_, err := readEnd(p)
	var exit *Exit
	require.ErrorAs(t, err, &exit)
	assertKilled(t, exit)
	p.Stop()
}

// The heir helper starts a program that keeps what the child lets it have: with "link" the link
// itself, with "stderr" that.
var _ = helper("heir", func(args []string) {
	l := connect(nil)
	cmd := exec.Command(os.Args[0], "helper:until")
	cmd.Stdin = os.Stdin // it ends when the test closes this
	if args[0] == "stderr" {
		cmd.Stderr = os.Stderr
	} else {
		cmd.ExtraFiles = []*os.File{sentinel.Read, sentinel.Write}
	}
	must(cmd.Start())
	fmt.Fprintln(os.Stderr, "last words")
	io.WriteString(l, "replies already in the pipe")
	os.Exit(6)
})

// The until helper ends with its stdin.
var _ = helper("until", func([]string) { io.Copy(io.Discard, os.Stdin) })

// A grandchild that keeps the link, or stderr, delays nobody.
func TestGrandchildKeepsAnEnd(t *testing.T) {
	for _, what := range []string{"link", "stderr"} {
		t.Run(what, func(t *testing.T) {
			if what == "link" {
				onlyUnix(t, "no extra files")
			}
			noLeaks(t)
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer w.Close() // ends the grandchild
			cmd := selfCmd("heir", what)
			cmd.Stdin = r
			p := startChild(t, cmd, nil)
			r.Close()
			blocked := make(chan error, 1)
			go func() {
				_, err := p.Link().Write(make([]byte, 1<<20))
				blocked <- err
			}()
			var b []byte
			within(t, 400*time.Millisecond, "the end", func() {
				b, err = readEnd(p)
				<-p.Done()
				assert.Error(t, <-blocked)
			})
			assert.Equal(t, "replies already in the pipe", string(b))
			var exit *Exit
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, 6, exit.Code)
			assert.Equal(t, "last words\n", string(exit.Stderr))
			p.Stop()
		})
	}
}

// The hangup helper closes its link and lives on until its stdin ends.
var _ = helper("hangup", func([]string) {
	l := connect(nil)
	l.Close()
	io.Copy(io.Discard, os.Stdin)
})

func TestChildThatClosesTheLinkAndLivesOn(t *testing.T) {
	noLeaks(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := selfCmd("hangup")
	cmd.Stdin = r
	p := startChild(t, cmd, nil)
	r.Close()
	within(t, 200*time.Millisecond, "Read", func() {
		_, err := p.Link().Read(make([]byte, 1))
		assert.Equal(t, io.EOF, err)
	})
	_, err = p.Link().Write([]byte{1})
	assert.True(t, pipes.IsBroken(err), "%v", err)
	assert.Nil(t, p.Exit())
	w.Close()
	<-p.Done()
	assert.Equal(t, StepNone, p.Exit().Step)
	p.Stop()
}

func TestLargeTransfer(t *testing.T) {
	noLeaks(t)
	p := startChild(t, selfCmd("echo"), nil)
	sent := make([]byte, 5<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	go p.Link().Write(sent)
	got := make([]byte, len(sent))
	_, err := io.ReadFull(p.Link(), got)
	require.NoError(t, err)
	assert.Equal(t, string(sent), string(got))
	p.Stop()
}
