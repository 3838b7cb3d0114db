package duplex

import (
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestOwedStreams: a peer that opens streams and takes them back, and does not
// read, makes this side owe it nothing, whatever is done with the streams.
func TestOwedStreams(t *testing.T) {
	for name, use := range map[string]func(s *Stream){
		"accept": func(*Stream) {},
		"close":  func(s *Stream) { s.Close() },
		"reset":  func(s *Stream) { s.Reset() },
		"write":  func(s *Stream) { go s.Write(make([]byte, 10)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, raw := net.Pipe()
				c := New(x, nil)
				go func() {
					for {
						s, err := c.Accept()
						if err != nil {
							return
						}
						use(s.(*Stream))
					}
				}()
				synctest.Wait() // the writer is at the first credit, and nobody reads
				for id := range uint32(1000) {
					raw.Write(openFrame(id, 8))
					synctest.Wait()
					b := appendHeader(nil, kindReset|byOpener, 4, id)
					raw.Write(binary.LittleEndian.AppendUint32(b, 0))
				}
				synctest.Wait()
				require.NoError(t, c.Err())
				c.writer.mu.Lock()
				require.Zero(t, len(c.writer.owed.streams))
				require.Zero(t, len(c.writer.owed.ends))
				require.Zero(t, len(c.writer.owed.answers))
				require.Zero(t, len(c.writer.queues.turns))
				require.Less(t, len(c.writer.queues.frames)+len(c.writer.owed.frames), 100)
				c.writer.mu.Unlock()
				raw.Close()
				require.Error(t, c.Wait())
			})
		})
	}
}

// TestTooEarly: nothing may come on a stream before its accept has left.
func TestTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, raw := net.Pipe()
		c := New(x, nil)
		synctest.Wait() // the writer is at the first credit, and nobody reads
		raw.Write(openFrame(0, 8))
		_, err := c.Accept()
		require.NoError(t, err)
		raw.Write(appendHeader(nil, kindEnd|byOpener, 0, 0))
		require.ErrorContains(t, c.Wait(), "end frame of stream 0, which has not been accepted")
		raw.Close()
	})
}

// TestOwedRefusals: streams that waited for Accept and are refused still count as unanswered.
func TestOwedRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, raw := net.Pipe()
		c := New(x, nil)
		synctest.Wait() // the writer is at the first credit, and nobody reads
		for id := range uint32(maxUnanswered) {
			listener := c.Listener()
			raw.Write(openFrame(id, 8))
			synctest.Wait()
			listener.Close()
		}
		require.NoError(t, c.Err())
		c.writer.mu.Lock()
		require.Zero(t, len(c.writer.owed.streams))
		require.Len(t, c.writer.owed.refusals, maxUnanswered)
		c.writer.mu.Unlock()
		raw.Write(openFrame(maxUnanswered, 8))
		require.ErrorContains(t, c.Wait(), "more than 256 streams opened without waiting for an answer")
		raw.Close()
	})
}
