package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Host runs the plugins of a folder, whose files are called NAME-VERSION: of each name the latest that
// it can use.
type Host struct {
	folder string
	logs   io.Writer // what plugins log, each line with the plugin's name before it
	stderr io.Writer // what they print, and what becomes of them, the same way

	mu      sync.Mutex
	plugins map[string]*running
	refused map[string]bool // files that cannot be used
}

// running is a plugin that is kept running. Its child may be another one after a crash.
type running struct {
	*rpcpipe.Supervisor
	version string
}

func NewHost(folder string, logs, stderr io.Writer) *Host {
	return &Host{folder: folder, logs: logs, stderr: stderr, plugins: make(map[string]*running), refused: make(map[string]bool)}
}

// Load looks into the folder: it starts the plugins that are new, and has later versions take the place
// of those that run.
func (h *Host) Load(ctx context.Context) {
	files, err := filepath.Glob(filepath.Join(h.folder, "[^.]*-*"))
	if err != nil {
		fmt.Println("plugins:", err)
		return
	}
	slices.Sort(files) // by versions as well, as long as their numbers have one digit
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, file := range files {
		name, version := split(file)
		old := h.plugins[name]
		if h.refused[file] || old != nil && old.version >= version {
			continue
		}
		command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command(file), nil }
		if old != nil {
			err = old.Swap(ctx, command)
			if err == nil {
				old.version = version
			}
		} else {
			err = h.start(ctx, name, version, command)
		}
		switch app := new(procspawn.AppError); {
		case errors.As(err, &app):
			h.refused[file] = true
			fmt.Printf("%s %s is not loaded: a %s from 1.0 is needed\n", name, version, appName)
		case err != nil:
			fmt.Printf("%s %s is not loaded: %v\n", name, version, err)
		case old != nil:
			fmt.Printf("%s %s has taken the place of the one before\n", name, version)
		default:
			fmt.Printf("%s %s is loaded\n", name, version)
		}
	}
}

// start starts a plugin that was not there. h.mu is held.
func (h *Host) start(ctx context.Context, name, version string, command func(rpcpipe.Incarnation) (*exec.Cmd, error)) error {
	handler := func(to io.Writer) slog.Handler {
		return slog.NewTextHandler(&prefixed{to, name + ": "}, &slog.HandlerOptions{ReplaceAttr: withoutTime})
	}
	s, err := rpcpipe.Supervise(ctx, command, &rpcpipe.SuperviseOptions{
		Name: name,
		Peer: &rpcpipe.Options{
			NeedName: appName, MinVersion: "1.0", MaxVersion: "1",
			LogHandler: handler(h.logs),
			Logger:     slog.New(handler(h.stderr)),
		},
		Restart: rpcpipe.Restart{Min: 10 * time.Millisecond, Limit: math.MaxInt},
		Stderr:  h.stderr,
	})
	if err == nil {
		h.plugins[name] = &running{s, version}
	}
	return err
}

// Apply returns what a plugin makes of a text, or what has come in its way.
func (h *Host) Apply(ctx context.Context, name, text string) string {
	h.mu.Lock()
	p := h.plugins[name]
	h.mu.Unlock()
	if p == nil {
		return "there is no such plugin"
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var result string
	err := p.CallContext(ctx, "Plugin.Apply", Text{Text: text}, &result)
	switch panicked := new(viaduct.PanicError); {
	case err == nil:
		return result
	case errors.Is(err, context.DeadlineExceeded):
		return "the plugin is too slow"
	case errors.As(err, &panicked):
		return "the plugin has crashed: " + panicked.Value
	}
	return err.Error()
}

// Close ends all plugins, in order: calls finish.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range h.plugins {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			p.Shutdown(ctx)
			p.Close()
			p.Wait()
		})
	}
	all.Wait()
	clear(h.plugins)
}

// split takes the name and version out of the name of a file.
func split(file string) (name, version string) {
	name, version, _ = strings.Cut(strings.TrimSuffix(filepath.Base(file), ".exe"), "-")
	return name, version
}

// prefixed writes lines with something before them.
type prefixed struct {
	to     io.Writer
	prefix string
}

// Write is called for one line at a time.
func (p *prefixed) Write(line []byte) (int, error) {
	_, err := p.to.Write(append([]byte(p.prefix), line...))
	return len(line), err
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}
