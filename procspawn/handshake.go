package procspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// refusalGrace is how long a side that refuses the other one still waits for it: until our hello
// has been taken, so that the other side can refuse us as well, and in the parent until the child
// has said why and exited.
const refusalGrace = 500 * time.Millisecond

// Handshake exchanges hellos over any connection whose other end does the same. The context and
// Options.HandshakeTimeout bound it. If it fails, conn is closed.
//
// The errors to match are *VersionError, *EncodingError, *AppError, *MagicError, *EchoError and
// those of the context. The timeout matches context.DeadlineExceeded.
func Handshake(ctx context.Context, conn io.ReadWriteCloser, opts *Options) (*Link, error) {
	if err := opts.check(); err != nil {
		conn.Close()
		return nil, err
	}
	l := newLink(conn)
	if opts.stdio() {
		l.beforeHello = new(capture.Tail)
	}
	err := exchangeHellos(ctx, l, opts, inNeither)
	if err == nil {
		return l, nil
	}
	if err == io.EOF {
		err = fmt.Errorf("the other side closed the connection before its hello: %w", err)
	}
	err = fmt.Errorf("procspawn: handshake: %w", err)
	if printed, _ := l.beforeHello.Bytes(); len(printed) > 0 {
		err = fmt.Errorf("%w; before that came: %s", err, capture.LastWords(printed))
	}
	return nil, err
}

// noHello reports a handshake for which time has run out.
type noHello struct {
	limit time.Duration // Options.HandshakeTimeout; zero: the context ended
	ctx   []error       // how the context ended, and its cause if it has one
}

func (e *noHello) Error() string   { return "no hello" + e.when() }
func (e *noHello) Unwrap() []error { return e.ctx }

func (e *noHello) when() string {
	if e.limit != 0 {
		return fmt.Sprintf(" within %v", e.limit)
	}
	return fmt.Sprintf(" before the context ended: %v", e.ctx[len(e.ctx)-1])
}

// exchangeHellos exchanges hellos over l, and closes it if that fails.
//
// The hello is written and read at the same time, each by a goroutine of its own. On a connection
// without a buffer neither side could otherwise get on, and a connection whose Close releases
// nobody must not hold up the caller.
func exchangeHellos(ctx context.Context, l *Link, opts *Options, at side) error {
	limit := opts.handshakeTimeout()
	timeout := &noHello{limit: limit, ctx: []error{context.DeadlineExceeded}}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, timeout)
	defer cancel()
	mine := newHello(opts)
	if err := checkEncoding(mine.Encoding); err != nil {
		l.Close()
		return err
	}
	x := &exchange{link: l, wrote: make(chan struct{}), read: make(chan struct{})}
	sent := mine.append(nil)
	go x.write(sent)
	go x.readHello()

	err := x.wait(ctx)
	if err == nil {
		err = l.accept(&mine, &x.hello, at)
	}
	if err == nil && opts != nil && opts.hello.Accept != nil {
		err = opts.hello.Accept(x.hello.Features)
	}
	if err != nil {
		x.abort()
		return err
	}
	l.sumsOut, l.sumsIn = framesum.Seed(sent, x.came.hello()), framesum.Seed(x.came.hello(), sent)
	return nil
}

// accept notes what the other side is, or returns why the two cannot work together.
func (l *Link) accept(mine, theirs *Hello, at side) (err error) {
	if theirs.nonce == mine.nonce {
		return &EchoError{}
	}
	l.remote = *theirs
	if l.version, err = chooseVersion(*theirs); err != nil {
		return err
	}
	if theirs.Encoding != mine.Encoding {
		return &EncodingError{Local: mine.Encoding, Remote: theirs.Encoding}
	}
	return checkApps(mine, theirs, at)
}

// exchange is one handshake's two goroutines and what came of them.
type exchange struct {
	link *Link

	wrote    chan struct{} // closed by write, after it has written the next field
	writeErr error
	read     chan struct{} // closed by readHello, after it has written the next two
	hello    Hello
	readErr  error
	came     recorded
}

// recorded keeps what is read: a hello, and what comes before it.
type recorded struct {
	io.Reader
	bytes []byte
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.bytes = append(r.bytes, p[:n]...)
	return n, err
}

// hello returns the bytes of the hello.
func (r *recorded) hello() []byte { return r.bytes[bytes.Index(r.bytes, []byte(helloMagic)):] }

func (x *exchange) write(b []byte) {
	defer close(x.wrote)
	_, x.writeErr = x.link.Write(b)
}

func (x *exchange) readHello() {
	defer close(x.read)
	x.came.Reader = x.link
	x.hello, x.readErr = readHello(&x.came, x.link.beforeHello)
}

// wait returns when both hellos are through or the exchange has failed.
func (x *exchange) wait(ctx context.Context) error {
	select {
	case <-x.read:
	case <-ctx.Done():
		return outOfTime(ctx)
	}
	var refused *VersionError
	if errors.As(x.readErr, &refused) {
		t := time.NewTimer(refusalGrace)
		defer t.Stop()
		select {
		case <-x.wrote:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if x.readErr != nil {
		return x.readErr
	}
	select {
	case <-x.wrote:
	case <-ctx.Done():
		return outOfTime(ctx)
	}
	if x.writeErr != nil {
		return fmt.Errorf("writing the hello: %w", x.writeErr)
	}
	return nil
}

// outOfTime says why ctx ended a handshake.
func outOfTime(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if timeout, ok := cause.(*noHello); ok {
		return timeout
	}
	return &noHello{ctx: []error{err, cause}}
}

// abort closes the link and waits for both goroutines. For a connection whose Close hangs or
// releases nobody it does not wait longer than refusalGrace.
func (x *exchange) abort() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		x.link.Close()
	}()
	t := time.NewTimer(refusalGrace)
	defer t.Stop()
	for _, c := range []chan struct{}{closed, x.read, x.wrote} {
		select {
		case <-c:
		case <-t.C:
			return
		}
	}
}
