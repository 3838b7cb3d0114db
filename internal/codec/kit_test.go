package codec_test

import (
	"io"

	"github.com/viaduct-go/viaduct"
)

// Args and Reply are those of the services of package testkit.
type (
	Args  struct{ A, B int }
	Reply struct{ C int }
)

// serve serves what opts say on conn and returns a channel that is closed when that has ended.
func serve(opts *viaduct.Options, conn io.ReadWriteCloser) <-chan struct{} {
	served := make(chan struct{})
	go func() {
		defer close(served)
		opts.ServeConn(conn)
	}()
	return served
}
