package duplex

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// streamSeeds are what the other side of a link may say of streams and the end, legal and not.
var streamSeeds = [][]string{
	{"40 00 08 00 00 00 00 00 00 00 01 00 00 00 00 00", "42 00 05 00 00 00 00 00 +5", "46 00 00 00 00 00 00 00", "48 00 00 00 00 00 00 00"},
	{"41 00 04 00 00 00 00 00 00 00 01 00", "43 00 05 00 00 00 00 00 +5", "45 00 04 00 00 00 00 00 00 00 01 00", "47 00 00 00 00 00 00 00"},
	{"40 00 08 00 00 00 00 00 00 00 01 00 01 00 00 00", "4a 00 04 00 00 00 00 00 00 00 00 00"},
	{"4b 00 04 00 00 00 00 00 01 00 00 00"},
	{"49 00 00 00 00 00 00 00", "44 00 04 00 00 00 00 00 00 00 00 40"},
	{"33 00 00 00 00 00 00 00", "34 00 00 00 00 00 00 00", "34 00 00 00 03 00 00 00"},
	{"82 00 02 00 00 00 00 00 61 61"},
}

// echoAll echoes all streams that the other side opens, until the link ends.
func echoAll(c *Conn) {
	for {
		s, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(s, s)
			s.Close()
		}()
	}
}

// injector passes on what is written to it, and other bytes between the frames:
// behind as many as are to come first.
type injector struct {
	io.ReadWriteCloser
	tap    tap
	frames int // still to come before
	bytes  []byte
}

func (j *injector) Write(p []byte) (int, error) {
	for n := range p {
		// One byte at a time, to find the ends of frames.
		j.tap.Write(p[n : n+1])
		if len(j.tap.buf) > 0 || j.tap.skip > 0 || j.bytes == nil {
			continue
		}
		if j.frames--; j.frames < 0 {
			all := append(append(bytes.Clone(p[:n+1]), j.bytes...), p[n+1:]...)
			j.bytes = nil
			if _, err := j.ReadWriteCloser.Write(all); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	return j.ReadWriteCloser.Write(p)
}

// nowhere takes what is written.
type nowhere struct{ io.ReadWriteCloser }

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// FuzzInject puts bytes among those of a link at work, with calls, notification messages and
// streams both ways. Whatever they are, all that goes on ends: with the link, or when it is closed.
func FuzzInject(f *testing.F) {
	for i, seeds := range [][][]string{streamSeeds, {firstLines}} {
		for j, lines := range seeds {
			f.Add(uint8(3+5*i+j), wire(lines...))
		}
	}
	for i, tt := range illegalTests {
		f.Add(uint8(i), wire(tt.lines...))
	}
	f.Fuzz(func(t *testing.T, at uint8, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			opts := &Options{MaxMessage: 70000, Window: 70000, StreamWindow: 5000}
			x, y := net.Pipe()
			in := &injector{ReadWriteCloser: y, frames: int(at), bytes: b}
			in.tap = tap{ReadWriteCloser: nowhere{}, see: func(header) {}}
			a, c := New(x, opts), New(in, opts)
			ctx, cancel := context.WithCancel(t.Context())
			for _, side := range []*Conn{a, c} {
				receive(side.ServerLane(), false)
				receive(side.ClientLane(), false)
				go echoAll(side)
				for i, n := range []int{10, 40000, 70000} {
					sending(ctx, side.ClientLane(), body(i, n), false)
					sending(ctx, side.ClientLane(), body(i, n), true)
					sending(ctx, side.ServerLane(), body(i, n), false)
				}
				go func() {
					s, err := side.Open(ctx)
					if err != nil {
						return
					}
					go func() {
						s.Write(body(1, 20000))
						s.(*Stream).CloseWrite()
					}()
					io.Copy(io.Discard, s)
					s.Close()
				}()
				_, offered := side.Offer()
				go offered.Write(body(2, 100))
			}
			synctest.Wait()
			if err := a.Err(); err != nil {
				require.NotErrorIs(t, err, ErrClosed)
			}
			a.Close()
			cancel()
			require.Error(t, a.Wait())
			require.Error(t, c.Wait())
		})
	})
}

var firstLines = []string{firstCall7, piece7}
