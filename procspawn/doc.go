// Package procspawn starts a program with a link to it, shakes hands with it,
// and sees to it that neither process outlives the other without being told to.
// It knows nothing of what goes through the link.
//
// # What it assumes
//
// The child is a program that imports this package (rpcpipe does), or one in
// another language that does what PROTOCOL.md says. It inherits two pipes, and a
// third for crash output, and learns their descriptor numbers from two words among its
// arguments, the sentinel, which have the form
//
//	viaduct.1 fd:3,4,5
//
// Whatever runs the program for us (env, sh, python3) must hand on arguments
// and descriptors; Here says which place among the arguments reaches the child.
// One that hands on standard input and output alone (ssh, docker exec -i) needs Options.Stdio.
// Children need Unix or Windows: elsewhere Start fails with errors.ErrUnsupported, and
// Handshake works over any connection.
//
// # What it promises to a parent
//
//   - Start either returns a Process whose link has a shaken hand at the other
//     end, or an error that says what happened, and then nothing is left of
//     the child: no process, no zombie, no descriptor. It takes no longer than its
//     context and Options.HandshakeTimeout, and no longer than the child
//     lives. (The system call that starts a program cannot be interrupted.)
//   - The two ends meant for the child, and the pipe for its crash, reach it and no other process.
//   - stderr and stdout are always drained where the caller has given no file. What a grandchild does with
//     them, or with the link, delays nobody.
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
//     ordinary one. With Options.Stdio the link is moved from standard input and output at the same
//     time: what the program prints goes to stderr, and its standard input is empty.
//   - From then on the link is watched. When the parent is gone, the process
//     is too within Options.ExitTimeout: Read of the link returns an *Exit with
//     Parent set, there is time for what must be done then, and os.Exit(0) ends
//     it. It does not if main returns before, if the link was closed on this
//     side first, or if an option says so (Options.ParentDeath of the parent, ExitTimeout of the child). Once Inherited has returned it is
//     reading the link (or writing to it) that notices: keep a Read going.
//   - SIGPIPE is caught with signal.Notify, so that printing to a broken
//     stdout or stderr fails with an error instead of killing the process
//     while it cleans up. SIGINT and SIGHUP, which a terminal sends to the parent as well, are caught while the link
//     is up, so that the parent can end the child in order. signal.Notify of the program works as ever, and programs that the child starts are not affected.
//   - What the runtime prints in a crash goes to the parent besides stderr (debug.SetCrashOutput; a program that calls it takes that over).
//   - Start refuses to work until the child has connected, so that a program
//     that starts itself and does not know it cannot do so for ever.
//
// The package prints nothing.
//
// # How a child is ended
//
//	step         what is done                                          and then waited for
//	shutdown     what is going on may finish: rpcpipe's Peer.Shutdown  rpcpipe's Options.ShutdownTimeout, 30 s
//	close link   a child of viaduct exits, after its callback          Options.CloseTimeout, 2 s
//	terminate    SIGTERM, and SIGCONT to wake it                       Options.TermTimeout, 2 s
//	kill         SIGKILL                                               5 s: the system is to report its end
//
// Exit.Step says at which step the child ended. With Options.Group the last two go to all that it
// has started and that has not left its process group, and what is left of them when the child has ended is killed.
//
// # When the parent dies
//
//	Options.ParentDeath   Linux, FreeBSD                                   macOS, other Unix    Windows
//	EndWithParent         end of the link; SIGCONT wakes a stopped child   end of the link      end of the link
//	KillWithParent        SIGKILL from the system                          Start fails          its job is closed, which kills it
//	Detach                the child lives on                               the child lives on   the child lives on
//
// The signals come when the process dies that called Start. A program in between that starts the child by fork (most exec instead)
// gets them itself, and one that changes its user (sudo) loses them.
//
// # What differs on Windows
//
//	                        Unix                                    Windows
//	pipes                   anonymous                               named at random; nobody else can open them
//	sentinel                viaduct.1 fd:3,4,5                      viaduct.1 handle:280,284,288
//	what reaches the child  descriptors 3 and up, behind            a list of handles, behind those of
//	                        Cmd.ExtraFiles                          SysProcAttr.AdditionalInheritedHandles
//	Cmd.ExtraFiles          keep their numbers                      Start fails, as Cmd.Start does
//	SysProcAttr             Pgid and Group: one of them             not CmdLine; and but for Options.Stdio neither
//	                                                                NoInheritHandles nor ParentProcess
//	terminate               SIGTERM, then SIGCONT                   there is no such step: kill follows close link
//	Exit of one that we     Code -1, Signal SIGKILL                 the same
//	have killed
//	... that somebody else  Code -1, Signal SIGKILL, By BySignal    the exit code he gave, mostly 1; By ByItself,
//	has killed                                                      or ByContext if it was Cmd.Cancel
//	Options.Group           a process group; Ctrl-C does not        a job; nothing leaves it; Ctrl-C reaches it
//	                        reach it
//	a suspended child whose Linux, FreeBSD: SIGCONT wakes it        stays, but for KillWithParent
//	parent dies
//	terminal signals        SIGINT, SIGHUP                          Ctrl-C and Ctrl-Break (os.Interrupt); the end of
//	                                                                the console or session (SIGTERM): 5 s are left then
//	printing to a broken    SIGPIPE, which is caught                an error
//	stdout
//	before Inherited        the link is watched for its end         the parent's hello is read ahead, and watched behind it
//	Link.WriteNow           writes what fits                        errors.ErrUnsupported; above, another goroutine writes
//	                                                                instead: what is sent right before os.Exit may be lost
//	Options.Stdio           sockets may take the place of pipes     pipes only
package procspawn
