// Package rpcpipe starts a program and calls methods in it, and is called back by it, with net/rpc
// over one inherited pipe pair: no sockets, ports, files or generated code, and stdout is left to
// the program.
//
// # Parent and child
//
// Both sides register what the other may call, as with net/rpc, and connect:
//
//	// parent                                       // child
//	rpc.Register(new(Parent))                       rpc.Register(new(Child))
//	cmd := exec.Command("./child", "-v")
//	peer, err := rpcpipe.Start(ctx, cmd, nil)       peer, err := rpcpipe.Connect(ctx, nil)
//	err = peer.Call("Child.Frontflip", &a, &r)      err = peer.Call("Parent.Moo", &a, &r)
//	err = peer.Close()                              err = peer.Wait()
//
// Register before Start or Connect: a call may arrive at once. A nil Options.Server exposes
// everything on [rpc.DefaultServer]; give a child that is not trusted a server of its own.
//
// A program can be its own child. It must then branch before anything else (in a test binary, in
// TestMain):
//
//	if rpcpipe.IsChild() {
//		childMain()
//		return
//	}
//	peer, err := rpcpipe.Start(ctx, procspawn.Self(), nil)
//
// # Calls
//
// Calls are served concurrently, each on a goroutine of its own, in both directions at once; a
// handler may call back, to any depth with the context of its call (see below). Notifications
// ([Peer.Notify]) are served one at a time, in the order they were sent; a call may be served
// before an earlier notification has been. Whoever sends them faster than they are handled waits;
// but while the side that handles them waits for the other one, in a call or to send something, it
// takes up to 64 MiB more of them, so that the two do not wait for each other. Neither a slow
// handler nor a large message holds up other calls. A handler that panics ends its process, as with
// net/rpc; its caller gets the panic with its stack first.
//
// Arguments and replies are encoded as MessagePack (see docs/PROTOCOL.md): structs by field name,
// so that missing, extra and reordered fields do no harm. Types that write themselves in gob's
// manner, and values in interfaces whose types are registered with [gob.Register], cross as with
// gob. What nothing can carry is an error that names the field; [viaduct.Check] finds it in a test.
// docs/TYPES.md shows many types beside gob. Another encoding can be chosen: see Options.Encoding.
// Both sides must choose the same, or they do not connect.
//
// [Peer.CallContext] ends with its context, and the other side then answers the call at once. A
// method whose argument embeds [viaduct.Caller] has the context of its call: it ends when the
// caller has given up, at the caller's deadline, and when the link ends. From it [FromContext]
// returns the Peer that has called, and [viaduct.Metadata] what the caller has attached with
// [viaduct.WithMetadata]. (An argument may also have a method SetContext(context.Context) of its
// own.) [Peer.Ping] tells a peer that is stopped from one that is busy.
//
// [Peer.Methods] asks the other side what it has to call: methods, the types of their arguments and
// replies, and what a service says of them. Options.NoListing has this side not answer.
//
// At most 16,384 calls of the other side are handled at once; as many wait for their turn, and
// beyond that they are refused with [viaduct.ErrOverload]. Calls that a method makes with the
// context of its call, to the side that called, are not held up by limits there, up to 16 at a time
// for each call, so that methods may call each other back to any depth. Made without that context a
// call back counts as any other. When as many run here as may, and at least as many of our own
// calls are pending, all of which may be waiting for it, it is refused rather than put in the
// queue. [Options] has the limits, hooks around calls on both sides, which may refuse them, and a
// way to survive panics in methods.
//
// # Streams
//
// Bytes without end or of great length go over streams beside the calls: [Peer.Open] and
// [Peer.Accept] give full [net.Conn]s, [Peer.Listener] is a [net.Listener] for, say, an
// http.Server. A method takes a stream, or returns one, by its name:
//
//	// caller                                       // method
//	name, conn := peer.Offer()                      conn, err := args.File.Open(ctx)
//	defer conn.Close()                              ...
//	go func() {                                     io.Copy(target, conn)
//		stream := conn.(*duplex.Stream)
//		if _, err := io.Copy(conn, file); err != nil {
//			stream.Reset() // or what was copied would look whole
//		}
//		stream.CloseWrite()
//	}()
//	err := peer.Call("Store.Put", Put{File: name}, &n)
//
// where ctx is the context of the call.
//
// # Logs
//
// What one side logs can go to a handler of the other, without ever waiting for it:
//
//	// parent                                       // child
//	opts := &rpcpipe.Options{                       peer, err := rpcpipe.Connect(ctx, nil)
//		LogHandler: slog.Default().Handler(),       slog.SetDefault(slog.New(peer.LogHandler(nil)))
//	}
//	peer, err := rpcpipe.Start(ctx, cmd, opts)
//
// Records that a slow handler, or a stopped process, leaves no room for are dropped, and the
// handler is told how many. What is logged when the link has ended goes to stderr, as all does if
// the other side has no LogHandler, or to Options.LogFallback; see [Peer.LogHandler].
//
// # Errors of a call
//
// Ask with errors.Is and errors.As, not with ==: an error may be several of these.
//
//   - As [rpc.ServerError]: the other side has answered with an error: the method failed, or there
//     is no such method. If the method has passed its error to [viaduct.Fail], the error is also,
//     by As, the [*viaduct.Error] and, by Is, the registered errors that it wraps: see
//     [viaduct.RegisterError].
//   - Is ctx.Err(): the context given to CallContext or Notify has ended.
//   - As [*viaduct.BodyError], [*viaduct.SizeError]: arguments or reply could not be encoded,
//     decoded or sent. The link is as before.
//   - Is [viaduct.ErrOverload]: the other side has refused the call.
//   - As [*viaduct.PanicError], Is [viaduct.ErrGoexit]: how the method has ended. PanicError says
//     whether the process on the other side ends with it.
//   - As [*viaduct.ShutdownError]: one of the sides is shutting the link down, and nothing new is
//     begun. It Is [duplex.ErrShutdown] and [rpc.ErrShutdown].
//   - Is [rpc.ErrShutdown], and none of the others: the link was closed on this side.
//   - As [*viaduct.DownError]: the link is down. It Is [rpc.ErrShutdown], too, and unwraps to what
//     ended it: [*procspawn.Exit] (how the process ended), [duplex.ErrPeerClosed],
//     [duplex.ErrUnresponsive], [*viaduct.ProtocolError], [*duplex.ProtocolError], of which
//     [*duplex.ChecksumError] is one.
//   - As [*NoChildError]: a [Supervisor] or a [Pool] has no child to call.
//   - As [*JobError], around one of the others: a job of a Pool was not done.
//   - Is [viaduct.ErrNotBegun], besides one of the above: it is certain that the method was not
//     begun, so that it can be tried again elsewhere. Without it the method may have been begun.
//
// A client of [Peer.Client] has errors of package rpc alone: the text of what the other side says,
// and rpc.ErrShutdown itself. It cannot tell which calls were begun; nor can a codec by itself.
//
// # What an exit loses
//
// When [Peer.Notify], [Peer.Flush], or Write, Close or CloseWrite of a stream has returned nil, the
// bytes are with the operating system: the other side gets them although this process ends right
// then, by os.Exit or a crash. What an exit can still lose is what has not returned yet, what
// [Peer.TryNotify] and a log handler have queued without waiting, and the replies of methods:
// Flush, and [Peer.Shutdown], wait for those.
//
// That holds for pipes and unix sockets. A TCP connection that is closed, be it by an exit, while
// something comes in is reset, and the system drops what the other side has not yet taken off it:
// over TCP, [New] say, call [Peer.Sync] or Shutdown before Close and before an exit.
//
// # Lifetimes
//
// The end of the link, whatever the reason, is the end of the child: a parent stops a child that
// does not exit by itself within 2 s with SIGTERM, and 2 s later kills it. A parent that is killed
// leaves no Go child behind, be that busy or, on Linux, stopped. [Options] has the limits, and
// other choices.
//
// When the child ends, however it ends, every pending call in the parent fails with an error that
// says how, Options.OnExit is called, and [Peer.Wait] returns. [Peer.Close] in the parent ends the
// child in the same steps.
//
// [Peer.Shutdown] lets what is going on finish first, on both sides: nothing that was accepted for
// sending is lost. Close ends it at once.
//
// The end of the link is noticed when the other process ends. One that is stopped, or hangs as a
// whole, is noticed by [Peer.Ping], or, if Options.Keepalive is set, without asking: the link then
// ends with [duplex.ErrUnresponsive].
//
// A child should return from main when its parent is gone or has closed the link:
//
//	peer, err := rpcpipe.Connect(ctx, nil)
//	...
//	err = peer.Wait() // and clean up
//
// A child that does not is ended within 1 s of the link's end, after its OnExit was called, unless
// it has closed the link itself. See package procspawn for the limits and how to change them.
//
// The context of [exec.CommandContext] is for a child that may be killed: it is, without any of
// these steps, when the context ends. One of [signal.NotifyContext] is not for it, but for main to
// wait for before it calls Shutdown: see the example of [Start].
//
// SIGTERM is often sent to parent and child at the same time: by a service manager, or to a process
// group. A child that is linked does not die of it at once. It goes on serving for 2 s, in which
// its parent can finish what it needs the child for, and call Shutdown or Close. Then the child
// calls Shutdown itself, for 5 s at most, and dies of the signal. When the link has ended the
// signal works at once again. A program with a handler of its own, by [signal.Notify] or
// [signal.NotifyContext], which would be undone, sets Options.HandlesSIGTERM. Programs that the
// child starts are not affected. On Windows there is no such signal.
//
// What waits for long although the link is up may wait for ever: for a method at the other side
// that waits for this one, say. Options.Logger is told after 5 s: of messages that wait for credit
// or room to be sent, of calls of the other side that wait for a place among the handlers, and of
// notifications behind a handler that still runs, with their methods. See Options.StallReport.
//
// The order of the end: the link ends; senders that wait for room are released, then pending calls
// fail; the child is stopped and waited for; OnExit is called; handlers that still run, and what
// has come and waits for its turn, are waited for, as [Peer.Wait] says; Wait returns.
//
// # A child that is kept running
//
// [Supervise] starts a child, and another when that has ended, and hands calls to the one that is
// up:
//
//	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("./child"), nil }
//	s, err := rpcpipe.Supervise(ctx, command, nil)
//	err = s.Call("Child.Frontflip", &a, &r)
//	err = s.Swap(ctx, nil) // by a new version of ./child, when that is ready
//	err = s.Close()
//
// A Peer is of use until its Done is closed; the Done of its Process, which may be closed earlier
// or later, says nothing of that.
//
// # Several children
//
// [NewPool] keeps several children of the same kind, and gives each job, which is a call, to one
// that has time. A job that its child dies of, or that takes too long, costs itself alone. [Map]
// gives it a sequence of jobs:
//
//	pool, err := rpcpipe.NewPool(ctx, command, &rpcpipe.PoolOptions{Timeout: time.Minute})
//	err = pool.CallContext(ctx, "Img.Size", path, &size)
//	for job, err := range rpcpipe.Map[Size](ctx, pool, "Img.Size", slices.Values(paths), nil) {
//		... // job.Arg, job.Reply; or err, which names the job
//	}
//	err = pool.Shutdown(ctx)
//
// What a child may take is bounded by Options.Limits.
package rpcpipe
