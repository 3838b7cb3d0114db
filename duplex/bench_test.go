package duplex

import (
	"encoding/binary"
	"io"
	"testing"
)

// Each figure stands beside the same work over bare pipes, with messages that
// are allocated as they come.

func benchLink(b *testing.B) (x, y *Conn) {
	f, g := osPipes(b)
	return pairOver(b, f, g, nil)
}

func BenchmarkSmallNotification(b *testing.B) { notifyBoth(b, 64) }
func BenchmarkSmallEcho(b *testing.B)         { echoBoth(b, 64) }
func BenchmarkMiBNotification(b *testing.B)   { notifyBoth(b, 1<<20) }
func BenchmarkMiBEcho(b *testing.B)           { echoBoth(b, 1<<20) }

func notifyBoth(b *testing.B, size int) {
	msg := body(1, size)
	b.Run("bare", func(b *testing.B) {
		x, y := osPipes(b)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for bareRead(y) != nil {
			}
		}()
		for b.Loop() {
			if err := bareWrite(x, msg); err != nil {
				b.Fatal(err)
			}
		}
		x.Close()
		<-done
	})
	b.Run("lane", func(b *testing.B) {
		x, y := benchLink(b)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		y.ServerLane().Receive(func([]byte, bool) bool { return true }, ignore, func(error) {})
		for b.Loop() {
			if err := x.ClientLane().Send(b.Context(), msg, true); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func echoBoth(b *testing.B, size int) {
	msg := body(1, size)
	b.Run("bare", func(b *testing.B) {
		x, y := osPipes(b)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		go func() {
			for {
				msg := bareRead(y)
				if msg == nil || bareWrite(y, msg) != nil {
					return
				}
			}
		}()
		for b.Loop() {
			if err := bareWrite(x, msg); err != nil {
				b.Fatal(err)
			}
			if bareRead(x) == nil {
				b.Fatal("link ended")
			}
		}
	})
	b.Run("lane", func(b *testing.B) {
		x, y := benchLink(b)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		go func() {
			for {
				msg, err := y.ServerLane().ReadMessage()
				if err != nil || y.ServerLane().WriteMessage(msg) != nil {
					return
				}
			}
		}()
		for b.Loop() {
			if err := x.ClientLane().WriteMessage(msg); err != nil {
				b.Fatal(err)
			}
			if _, err := x.ClientLane().ReadMessage(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func bareWrite(w io.Writer, msg []byte) error {
	if len(msg) < 4096 {
		_, err := w.Write(append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(msg)), uint32(len(msg))), msg...))
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(msg)))); err != nil {
		return err
	}
	_, err := w.Write(msg)
	return err
}

// bareRead returns the next message, or nil at the end.
func bareRead(r io.Reader) []byte {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil
	}
	msg := make([]byte, binary.LittleEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r, msg); err != nil {
		return nil
	}
	return msg
}
