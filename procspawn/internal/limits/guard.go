package limits

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Guard keeps the limits of one process. Prepare comes first. If the process has started, Begin
// follows and then, once, End, else Abandon.
type Guard struct {
	// Written by Prepare, AtStart and Begin, which are called one after the other.
	cfg     Config
	group   bool // what the process starts is ended with it
	system  system
	kill    func() error
	wall    *time.Timer   // nil: there is no such limit
	quit    chan struct{} // closed by End; nil: nothing is watched
	watched chan struct{} // closed when the watcher has ended

	mu  sync.Mutex // guards what follows
	hit Reached    // the limit for which the process was killed here
}

// Prepare takes the limits, which Check has found good, and changes cmd, which is about to be
// started. With group all that the process starts is ended with it.
func (g *Guard) Prepare(cmd *exec.Cmd, cfg Config, group bool) error {
	g.cfg, g.group = cfg, group
	if err := g.prepare(cmd); err != nil {
		return err
	}
	if cfg.Memory != 0 {
		limitHeap(cmd, cfg.Memory)
	}
	return nil
}

// heapShare is how much of its memory a Go program is to make do with.
const heapShare = 0.8

// limitHeap has the garbage collector of a Go program know of its limit, unless the caller has said
// something else.
func limitHeap(cmd *exec.Cmd, limit int64) {
	const name = "GOMEMLIMIT="
	environ := cmd.Env
	if environ == nil {
		environ = cmd.Environ()
	}
	if !slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, name) }) {
		cmd.Env = append(slices.Clip(environ), fmt.Sprint(name, int64(heapShare*float64(limit))))
	}
}

// Abandon is for a process that has not started.
func (g *Guard) Abandon() {
	g.system.undo()
	g.system.close()
}

// Begin is called when the process runs. What kill does is to end it, and with group all that it
// has started.
func (g *Guard) Begin(kill func() error) {
	g.kill = kill
	if g.cfg.Wall > 0 {
		g.wall = time.AfterFunc(g.cfg.Wall, func() {
			g.reach(Reached{Wall, true, fmt.Sprintf("it has lived for %v", g.cfg.Wall)})
		})
	}
	if g.watches() {
		g.quit, g.watched = make(chan struct{}), make(chan struct{})
		go g.watch()
	}
}

// reach kills the process for a limit.
func (g *Guard) reach(r Reached) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hit.Limit == None && g.kill() == nil {
		g.hit = r
	}
}

// End is called when the process has been waited for. It says which limit has ended it.
func (g *Guard) End(o Outcome) Reached {
	if g.wall != nil {
		g.wall.Stop()
	}
	if g.quit != nil {
		close(g.quit)
		<-g.watched
	}
	defer g.system.close()
	g.mu.Lock()
	hit := g.hit
	g.mu.Unlock()
	if hit.Limit != None && o.killed() && !o.Stopped {
		return hit
	}
	if r := g.system.judge(&g.cfg, &o); r.Limit != None {
		return r
	}
	return g.cfg.judge(&o)
}
