package viaduct

import "github.com/viaduct-go/viaduct/internal/fault"

// An Error is an error that crosses with its parts. A method returns one, or any error that wraps
// one, by [Caller.Fail] or [Fail]; the caller finds it with [errors.As].
//
//	Code    int
//	Message string
//	Data    any // what an argument's interface field can hold
//
// Its text is the message, or, without one, the code.
type Error = fault.Error

// ErrNotBegun says, by [errors.Is], of the error of a call or a notification that its method was
// certainly not begun, and will not be: it is safe to try again, here or elsewhere. That is so when
//
//   - the other side has refused the call ([ErrOverload]), or a hook has;
//   - it was made during or after a shutdown, or after the end of the link;
//   - its arguments could not be encoded or decoded, or were too large;
//   - the method does not exist;
//   - its deadline was over before the method began;
//   - it was given up before it was sent whole;
//   - it was waiting to be sent when the link broke.
//
// In all other cases the method may have been begun: a call that was cancelled after it was sent,
// for instance. One whose reply was too large, or could not be decoded, was.
//
// It is about this call alone: a method that passes it on with [Fail], from a call of its own,
// passes on its text. Peers that are no viaduct, or older, say nothing of the kind, and a standard
// client (rpcpipe.Peer.Client, or this package's codec alone) has texts and no types.
var ErrNotBegun = fault.ErrNotBegun

// What the library of the other side says of a call, in the sense of [errors.Is].
var (
	// ErrOverload: the call was refused, and its method not begun. See MaxHandlers in
	// rpcpipe.Options.
	ErrOverload = fault.ErrOverload

	// ErrGoexit: the method has ended its goroutine with [runtime.Goexit].
	ErrGoexit = fault.ErrGoexit
)

// A PanicError is what the caller of a method that panicked gets.
//
//	Value string // what was passed to panic, printed
//	Stack string // of the goroutine, its end cut off beyond 64 KiB
//	Ends  bool   // its process ends with it: new calls to it fail as not begun
type PanicError = fault.PanicError

// A BodyError reports arguments or a reply that could not be encoded or decoded. It concerns one
// call; the link is as before. It unwraps to Err. With What "arguments" it Is ErrNotBegun.
//
//	Op     string // "encode" or "decode"
//	What   string // "arguments" or "reply"
//	Method string // the method called
//	Type   string // the Go type of the value
//	Err    error  // what was wrong
type BodyError = fault.BodyError

// A SizeError reports a message over the limit of the link. No byte of it has been sent. Its size
// is a lower bound: encoding ends at the limit. (That of package duplex is of its own lanes.)
//
//	Size, Limit int // bytes
type SizeError = fault.SizeError

// A ProtocolError reports a message that is no MessagePack-RPC, or that must not come at that
// point. It ends the connection. It unwraps to Err. (That of package duplex is about frames.)
//
//	Reason string // what came and what was expected
//	Err    error  // perhaps nil
type ProtocolError = fault.ProtocolError

// A DownError is what calls fail with when the link they need has ended other than by Close on this
// side, which is [rpc.ErrShutdown] itself. It unwraps to what ended it. errors.Is(err,
// rpc.ErrShutdown) is true of it.
//
//	Err error // for instance io.ErrUnexpectedEOF, *ProtocolError, *procspawn.Exit
type DownError = fault.DownError

// A ShutdownError is what a call fails with that was not begun, as one of the sides is shutting the
// link down. It unwraps to the link's error for that. errors.Is(err, rpc.ErrShutdown) is true of
// it.
//
//	Err error
type ShutdownError = fault.ShutdownError

// RegisterError has err cross between processes that have both registered it under this name: where
// an error that a method passed to [Caller.Fail] or [Fail] wraps it, in the sense of [errors.Is],
// the caller's error does as well. A name is 1 to 100 bytes long, for instance the import path and
// name of a variable.
//
// Registered already are, as "io.EOF" and so on, [context.Canceled] and [context.DeadlineExceeded],
// [errors.ErrUnsupported], [os.ErrDeadlineExceeded], and all the error variables of packages io and
// io/fs.
//
// Call it in init or main; it may be called from any goroutine. The same pair twice is fine. It
// panics if the name is too short or too long or stands for another error, or if err is nil or
// cannot be compared.
func RegisterError(name string, err error) { fault.Register(name, err) }
