package rpcpipe

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/internal/tuning"
	"github.com/viaduct-go/viaduct/procspawn"
)

// A Tap records what goes over the links of the Peers that have it in their Options, with times: each
// frame's header, and what names its message. The command viaduct shows a record, as text, JSON or a
// picture, and replays one with contents to another child. docs/tap.md says more.
//
// One Tap may be given to any number of Peers, at once or one after the other: a Supervisor's or a
// Pool's all write to it. A link does not wait for it. What finds no room, as the disk is slower than
// the links, is counted in the record; if the file cannot be written any more, Options.Logger is told
// and the recording ends. [Peer.Wait] returns when the file has all of its Peer, but waits for a
// second at most.
//
// Its fields are not to be changed once a Peer has it. Its methods may be called from any goroutine.
type Tap struct {
	// File is the name of the file to write, in which %p stands for the number of this process. It must
	// not be there: Start, Connect and New fail, and nothing is written over. Nobody else may read it
	// (on Windows its directory says who may). Default: the latest records are kept in memory, for Save.
	File string

	// Contents has all bytes of messages and streams recorded: arguments, replies, errors, metadata,
	// whatever secrets are in them. Default: sizes, and the names of methods.
	Contents bool

	// MaxBytes bounds the file, where the recording then ends, or the memory, from 64 KiB. Default: 1
	// GiB of a file, 4 MiB of memory.
	MaxBytes int64

	once     sync.Once
	recorder *tap.Recorder
}

// Save writes a file of the latest records, which are kept in memory. The file must not be there.
// Nobody else may read it. It fails for a Tap that has a File.
func (t *Tap) Save(file string) error { return t.inner().Save(file) }

// WriteTo is Save to w.
func (t *Tap) WriteTo(w io.Writer) (int64, error) { return t.inner().WriteTo(w) }

func (t *Tap) inner() *tap.Recorder {
	t.once.Do(func() {
		t.recorder = tap.New(tap.Config{
			File:     strings.ReplaceAll(t.File, "%p", strconv.Itoa(os.Getpid())),
			Contents: t.Contents,
			MaxBytes: t.MaxBytes,
		})
	})
	return t.recorder
}

// check reports fields that have no meaning.
func (t *Tap) check() error {
	if t != nil && t.MaxBytes != 0 && t.MaxBytes < tap.LeastBytes {
		return fmt.Errorf("rpcpipe: Tap.MaxBytes is %d: %d or more was expected, or 0 for the default", t.MaxBytes, tap.LeastBytes)
	}
	return nil
}

// taps are those that record one link, with what they are told of it. nil: none do.
type taps struct {
	uses []*tap.Use
	info tap.Info
}

// openTaps prepares the taps of a link: their files are there then.
func (c *config) openTaps(role string) error {
	fromEnv, err := c.tapOfEnv()
	if err != nil {
		return err
	}
	var recorders []*tap.Recorder
	if c.opts.Tap != nil {
		recorders = append(recorders, c.opts.Tap.inner())
	}
	if fromEnv != nil {
		recorders = append(recorders, fromEnv)
	}
	if recorders == nil {
		return nil
	}
	t := &taps{info: tap.Info{Role: role}}
	for _, r := range recorders {
		use, err := r.Use(c.warn)
		if err != nil {
			t.release()
			return fmt.Errorf("rpcpipe: %w", err)
		}
		t.uses = append(t.uses, use)
	}
	c.taps = t
	return nil
}

// tapOfEnv returns the Recorder that Options.TapEnv asks for, nil if there is none.
func (c *config) tapOfEnv() (*tap.Recorder, error) {
	name := c.opts.TapEnv
	value := ""
	if name != "" {
		value = os.Getenv(name)
	}
	switch {
	case value == "":
		return nil, nil
	case tap.Raised():
		c.warn("viaduct: the variable that asks for a tap is ignored: this program has more rights than whoever has started it", "variable", name)
		return nil, nil
	}
	r, err := tap.FromEnv(value)
	if err != nil {
		return nil, fmt.Errorf("rpcpipe: the variable %s of the environment: %w", name, err)
	}
	return r, nil
}

// noTapOfEnv says of a bare connection that Options.TapEnv has no effect on it.
func (c *config) noTapOfEnv() {
	if name := c.opts.TapEnv; name != "" && os.Getenv(name) != "" {
		c.warn("viaduct: the variable that asks for a tap is ignored: what goes over a bare connection is not recorded", "variable", name)
	}
}

func (c *config) warn(text string, args ...any) {
	if c.opts.Logger != nil {
		c.opts.Logger.Warn(text, args...)
	}
}

// tapped returns link, recorded if it is to be.
func (c *config) tapped(link io.ReadWriteCloser) io.ReadWriteCloser {
	if c.taps == nil {
		return link
	}
	info := &c.taps.info
	info.Here, info.There = sideOf(c.hello()), sideOf(c.remoteHello)
	info.Eager = tuning.Eager && slices.Contains(info.There.Features, featureEager)
	for _, use := range c.taps.uses {
		link = use.Link(link, info)
	}
	return link
}

// release ends the recording of the link, or gives up that there will be one.
func (t *taps) release() {
	if t == nil {
		return
	}
	for _, use := range t.uses {
		use.Release()
	}
}

// sideOf is what is recorded of a hello.
func sideOf(h procspawn.Hello) tap.Side {
	return tap.Side{
		Pid: h.Pid, Name: h.Name, Version: h.AppVersion, Lang: h.Lang,
		Encoding: cmp.Or(h.Encoding, encodingName(nil)), Bodies: h.Bodies, Features: h.Features, MaxMessage: h.MaxMessage,
	}
}

// hideTapEnv takes the variable of Options.TapEnv out of what cmd is given, and returns a function that
// puts it back when cmd was started: its fields are the caller's.
func (c *config) hideTapEnv(cmd *exec.Cmd) (restore func()) {
	name := c.opts.TapEnv
	if name == "" {
		return func() {}
	}
	env := cmd.Env
	all := cmd.Environ()
	left := tap.Without(all, name)
	if len(left) == len(all) {
		return func() {}
	}
	cmd.Env = left
	return func() { cmd.Env = env }
}
