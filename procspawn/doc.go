// Package procspawn starts a program with a link to it, shakes hands with it,
// and sees to it that neither process outlives the other without being told to.
// It knows nothing of what goes through the link.
//
// # What it assumes
//
// The child is a program that imports this package (rpcpipe does), or one in
// another language that does what PROTOCOL.md says. It inherits two pipes and
// learns their descriptor numbers from two words among its arguments, the
// sentinel, which have the form
//
//	viaduct.1 fd:3,4
//
// Whatever runs the program for us (env, sh, python3) must hand on arguments
// and descriptors; Here says which place among the arguments reaches the child.
// Pipes need Unix: elsewhere Start fails with errors.ErrUnsupported, and
// Handshake works over any connection.
//
// # What it promises to a parent
//
//   - Start either returns a Process whose link has a shaken hand at the other
//     end, or an error that says what happened, and then nothing is left of
//     the child: no process, no zombie, no descriptor. It takes no longer than its
//     context and Options.HandshakeTimeout, and no longer than the child
//     lives.
//   - The two ends meant for the child reach it and no other process.
//   - stderr is always drained. What a grandchild does with it, or with the
//     link, delays nobody.
//   - When the child ends, however it ends, Read of the link returns what it
//     still had to say and then its *Exit, promptly; blocked writers are
//     released first. It is waited for, and Done is closed.
//   - Stop ends it, and always returns.
//
// # What it promises to a child
//
//   - In init, before nearly every other package's, the sentinel is taken out
//     of os.Args and the descriptors are made close-on-exec: the program and
//     package flag see what the caller passed, byte for byte, and programs
//     that it starts inherit nothing. A program started without the sentinel is an
//     ordinary one.
//   - From then on the link is watched. When the parent is gone, the process
//     is too within Options.ExitTimeout: Read of the link returns an *Exit with
//     Parent set, there is time for what must be done then, and os.Exit(0) ends
//     it. It does not if main returns before, if the link was closed on this
//     side first, or if the option says so. Once Inherited has returned it is
//     reading the link (or writing to it) that notices: keep a Read going.
//   - SIGPIPE is caught with signal.Notify, so that printing to a broken
//     stdout or stderr fails with an error instead of killing the process
//     while it cleans up. Programs that the child starts are not affected.
//   - Start refuses to work until the child has connected, so that a program
//     that starts itself and does not know it cannot do so for ever.
//
// The package prints nothing.
package procspawn
