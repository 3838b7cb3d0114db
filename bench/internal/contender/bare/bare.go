// Package bare is the floor: fixed small messages that go to and fro over a pair of pipes, bytes
// with their length before them, and no encoding, no numbers of calls, no concurrency.
package bare

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// What a message asks for.
const (
	add = iota
	echo
	pour
	usage
)

// words and size are those of every message: what it asks for, and four numbers.
const (
	words = 5
	size  = 8 * words
)

type message [size]byte

func newMessage(list ...int) *message {
	var m message
	for i, n := range list {
		binary.LittleEndian.PutUint64(m[8*i:], uint64(n))
	}
	return &m
}

func (m *message) word(i int) int { return int(binary.LittleEndian.Uint64(m[8*i:])) }

type peer struct {
	child *child.Child
	link  io.ReadWriteCloser

	mu sync.Mutex // held from a request to its reply
}

// Start is a work.StartFunc.
func Start(_ context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	c, links, err := child.StartLinks(cmd, 1)
	if err != nil {
		return nil, err
	}
	return &peer{child: c, link: links[0]}, nil
}

func (p *peer) Close() error {
	err := p.link.Close()
	p.child.End()
	return err
}

// ask sends one message and waits for the one that comes back.
func (p *peer) ask(m *message) error {
	if _, err := p.link.Write(m[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(p.link, m[:])
	return err
}

func (p *peer) Add(a, b int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := newMessage(add, a, b)
	err := p.ask(m)
	return m.word(3), err
}

func (p *peer) Usage(memory bool) (work.Usage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := newMessage(usage)
	if memory {
		m = newMessage(usage, 1)
	}
	err := p.ask(m)
	return work.Usage{
		CPU: time.Duration(m.word(1)), Heap: int64(m.word(2)), Anonymous: int64(m.word(3)), Proportional: int64(m.word(4)),
	}, err
}

func (p *peer) Echo(list []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.link.Write(newMessage(echo, len(list))[:]); err != nil {
		return nil, err
	}
	if _, err := p.link.Write(list); err != nil {
		return nil, err
	}
	back := make([]byte, len(list))
	_, err := io.ReadFull(p.link, back)
	return back, err
}

func (p *peer) Pour(total, chunk int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := newMessage(pour, total)
	if _, err := p.link.Write(m[:]); err != nil {
		return err
	}
	if err := work.Write(p.link, total, chunk); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.link, m[:]); err != nil {
		return err
	}
	if m.word(2) != total {
		return fmt.Errorf("of %d bytes %d have arrived", total, m.word(2))
	}
	return nil
}

// Serve is the child: it answers one message after another.
func Serve() error {
	link, err := child.Inherited(0)
	if err != nil {
		return err
	}
	for m := new(message); ; {
		if _, err := io.ReadFull(link, m[:]); err != nil {
			return nil // the parent is gone
		}
		switch m.word(0) {
		case add:
			m = newMessage(add, m.word(1), m.word(2), m.word(1)+m.word(2))
		case usage:
			u, err := work.Used(m.word(1) == 1)
			if err != nil {
				return err
			}
			m = newMessage(usage, int(u.CPU), int(u.Heap), int(u.Anonymous), int(u.Proportional))
		case pour:
			n, err := work.Discard(link, m.word(1))
			if err != nil {
				return err
			}
			m = newMessage(pour, m.word(1), n)
		case echo:
			list := make([]byte, m.word(1))
			if _, err := io.ReadFull(link, list); err != nil {
				return err
			}
			if _, err := link.Write(list); err != nil {
				return err
			}
			continue
		}
		if _, err := link.Write(m[:]); err != nil {
			return err
		}
	}
}
