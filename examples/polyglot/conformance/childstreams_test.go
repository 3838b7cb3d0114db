package conformance_test

import (
	"context"
	"hash/crc32"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The streams of goChild.

func (s *testService) serveStreams() {
	for {
		stream, err := s.peer.Accept()
		if err != nil {
			return
		}
		go func() {
			if _, err := io.Copy(stream, stream); err != nil {
				stream.(*duplex.Stream).Reset()
			}
			stream.Close()
		}()
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func (s *testService) Open(n int, sum *uint32) error {
	s.ready.Wait()
	stream, err := s.peer.Open(context.Background())
	if err != nil {
		return err
	}
	defer stream.Close()
	go func() {
		stream.Write(pattern(n))
		stream.(*duplex.Stream).CloseWrite()
	}()
	crc := crc32.NewIEEE()
	_, err = io.Copy(crc, stream)
	*sum = crc.Sum32()
	return err
}

func (s *testService) Read(name rpcpipe.StreamName, reply *[]any) error {
	s.ready.Wait()
	stream, err := s.peer.OpenOffer(context.Background(), name)
	if err != nil {
		return err
	}
	if err := s.peer.Notify(context.Background(), "P.Event", "opened"); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, stream)
	if err != nil {
		kind := describe(err).Kind
		log.Print("read: ", kind)
		*reply = []any{int(n), kind}
		return nil
	}
	*reply = []any{int(n), "end"}
	return stream.Close()
}

func (s *testService) Write(name rpcpipe.StreamName, reply *[]any) error {
	s.ready.Wait()
	stream, err := s.peer.OpenOffer(context.Background(), name)
	if err != nil {
		return err
	}
	defer stream.Close()
	for n := 0; ; n += 1000 {
		if _, err := stream.Write(make([]byte, 1000)); err != nil {
			*reply = []any{n, describe(err).Kind}
			return nil
		}
	}
}

func (s *testService) Offer(how string, name *rpcpipe.StreamName) error {
	s.ready.Wait()
	var conn net.Conn
	*name, conn = s.peer.Offer()
	stream := conn.(*duplex.Stream)
	go func() {
		switch how {
		case "empty":
			stream.CloseWrite()
		case "end":
			stream.Write(pattern(1 << 20))
			stream.Close()
		case "reset":
			stream.Write(pattern(100_000))
			stream.Reset()
		case "die":
			stream.Write(pattern(100_000))
			os.Exit(3)
		case "cut":
			written := make(chan struct{})
			s.cut <- func() {
				stream.Close()
				<-written
			}
			if _, err := stream.Write(pattern(10 << 20)); err == nil {
				log.Print("a write that was cut has succeeded")
			}
			close(written)
		case "leave":
			stream.Write(pattern(100_000))
			s.peer.Close()
		}
	}()
	return nil
}

func (s *testService) Cut(_ int, _ *struct{}) error {
	(<-s.cut)()
	return nil
}

func (s *testService) TakeBack(_ int, name *rpcpipe.StreamName) error {
	s.ready.Wait()
	var stream net.Conn
	*name, stream = s.peer.Offer()
	return stream.Close()
}

func (s *testService) Refused(name rpcpipe.StreamName, reply *Problem) error {
	s.ready.Wait()
	if _, err := s.peer.OpenOffer(context.Background(), name); err != nil {
		*reply = describe(err)
	}
	return nil
}

func (s *testService) Unanswered(_ int, reply *Problem) error {
	s.ready.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.peer.Open(ctx); err != nil {
		*reply = describe(err)
	}
	return nil
}

func (s *testService) Shutdown(_ int, _ *struct{}) error {
	s.ready.Wait()
	go func() {
		if err := s.peer.Shutdown(context.Background()); err != nil {
			log.Print("shutdown: ", err)
		}
	}()
	return nil
}
