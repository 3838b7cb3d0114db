// Package procspawn starts a program with a link to it, shakes hands with it, and sees to it that
// neither process outlives the other without being told to. It knows nothing of what goes through
// the link, and it prints nothing.
//
// The parent calls Start, which returns a Process with its Link. The child calls Inherited, which
// returns its end of the Link. Handshake makes a Link of any other connection. A Link carries
// bytes: package rpcpipe has calls on it.
//
// # What it assumes
//
// The child is a program that uses this package (a user of rpcpipe does), or one in another
// language that does what PROTOCOL.md says. It inherits two pipes, and a third for crash output. It
// learns their descriptor numbers from two words among its arguments, the sentinel, which have the
// form
//
//	viaduct.1 fd:3,4,5
//
// Whatever runs the program for us (env, sh, python3) must hand on arguments and descriptors. Here
// says which place among the arguments reaches the child. A program that hands on standard input
// and output alone (ssh, docker exec -i) needs Options.Stdio.
//
// Children need Unix or Windows. Elsewhere Start fails with errors.ErrUnsupported, and Handshake
// works over any connection.
//
// # What it promises to a parent
//
//   - Start returns either a Process whose Link has a shaken hand at the other end, or an error
//     that says what happened. Then nothing is left of the child: no process, no zombie, no
//     descriptor. Start takes no longer than its context and Options.HandshakeTimeout, and no
//     longer than the child lives. (The system call that starts a program cannot be interrupted.)
//   - The two ends meant for the child, and the pipe for its crash, reach it and no other process.
//   - Where the caller has given no file for stdout and stderr they are always drained. A
//     grandchild that keeps them, or the link, delays nobody.
//   - When the child ends, however it ends, blocked writers of the link are released first. Read
//     returns what the child still had to say and then its *Exit, promptly. The child is waited
//     for, and Process.Done is closed.
//   - Stop ends the child, and always returns.
//   - Options.Limits hold before the child's first instruction, or Start fails. Exit.Limit says
//     which of them has ended the child, and whether that is certain.
//
// # What it promises to a child
//
//   - In init, before nearly every other package's, the sentinel is taken out of os.Args and the
//     descriptors are made close-on-exec. So the program and package flag see what the caller
//     passed, byte for byte, and programs that it starts inherit nothing. A program started
//     without the sentinel is an ordinary one.
//   - With Options.Stdio the link is moved away from standard input and output at the same time:
//     what the program prints goes to stderr, and its standard input is empty.
//   - From then on the link is watched. When the parent is gone, Read of the link returns an *Exit
//     with Parent set, there is time for what must be done then, and os.Exit(0) ends the process
//     within Options.ExitTimeout. It does not if main returns before, if the link was closed on
//     this side first, or if an option says so (Options.ParentDeath of the parent, ExitTimeout of
//     the child). Once Inherited has returned, it is a Read or Write of the link that notices:
//     keep a Read going.
//   - That holds for a program that computes with many more goroutines than processors, too, in
//     which a reader that is ready waits for seconds for its turn. On Unix four looks a second see
//     to it. If the turn of what is to be called then does not come in time, the process exits
//     without. On Windows, and with the race detector, such a child is late by as much as its
//     scheduler is, up to 20 ms for each goroutine that computes. The scheduler promises nothing,
//     so where a second must be kept in any case have the parent set KillWithParent.
//   - SIGPIPE is caught by signal.Notify, so printing to a broken stdout or stderr fails with an
//     error instead of killing the process while it cleans up.
//   - SIGINT and SIGHUP, which a terminal sends to the parent as well, are caught while the link
//     is up, so that the parent can end the child in order. The program's own signal.Notify works
//     as ever, and programs that the child starts are not affected.
//   - Where its parent has set Limits.CPU, on Linux, it ends by a panic when that is used up, with
//     the stacks of all goroutines, within the one second that the system leaves it.
//   - SIGTERM is left alone: it is package rpcpipe that catches it while a child is linked.
//   - What the runtime prints in a crash goes to the parent besides stderr. (A program that calls
//     debug.SetCrashOutput takes that over.)
//   - Start refuses to work until the child has connected. A program that starts itself, and does
//     not know it, would otherwise do so for ever.
//
// # How a child is ended
//
//	step        what is done                                      how long it is waited for
//	shutdown    calls in flight may finish: Shutdown of rpcpipe   30 s, an option of rpcpipe
//	close link  a child of viaduct exits, after its callback      Options.CloseTimeout, 2 s
//	terminate   SIGTERM, and SIGCONT to wake it                   Options.TermTimeout, 2 s
//	kill        SIGKILL                                           5 s, for the system to tell
//
// Exit.Step says at which step the child ended. With Options.Group the last two go to all that the
// child has started and that has not left its process group. What is left of them when the child
// has ended is killed.
//
// # When the parent dies
//
//	ParentDeath      Linux, FreeBSD             macOS, other Unix     Windows
//	EndWithParent    end of the link; SIGCONT   end of the link       end of the link
//	                 wakes a stopped child
//	KillWithParent   SIGKILL from the system    Start fails           the end of its job kills it
//	Detach           the child lives on         the child lives on    the child lives on
//
// The signals come when the process dies that called Start. A program in between that starts the
// child by fork (most exec instead) gets them itself. One that changes its user (sudo) loses them.
//
// A child of viaduct must not execute itself, or another program, in its own place (syscall.Exec)
// before it has connected: the link does not survive that, and the program that follows would take
// itself for a parent, and might start itself for ever. On Linux, with EndWithParent, the signal
// for the parent's death tells that program what it is, if it was the first thread that executed
// it, and if no other pipes reach it by Cmd.ExtraFiles, one in each direction: IsChild is true
// then, and Inherited and Start fail. Elsewhere nothing tells. (env, sh and other programs that do
// not use this package hand the link on.)
//
// # What differs on Windows
//
//	                        Unix                         Windows
//	pipes                   anonymous                    named at random; nobody else opens them
//	sentinel                viaduct.1 fd:3,4,5           viaduct.1 handle:280,284,288
//	what reaches the child  descriptors 3 and up,        a list of handles, behind those of
//	                        behind Cmd.ExtraFiles        SysProcAttr.AdditionalInheritedHandles
//	Cmd.ExtraFiles          keep their numbers           Start fails, as Cmd.Start does
//	SysProcAttr             Pgid and Group: one of       not CmdLine; without Options.Stdio
//	                        them                         neither ParentProcess nor
//	                                                     NoInheritHandles
//	terminate               SIGTERM, then SIGCONT        no such step: kill follows close link
//	Exit of a child that    Code -1, Signal SIGKILL      the same
//	we have killed
//	Exit of one that        Code -1, Signal SIGKILL,     the exit code that was given, mostly 1;
//	others have killed      By BySignal                  By ByItself, or ByContext if it was
//	                                                     Cmd.Cancel
//	Options.Group           a process group; Ctrl-C      a job, which nothing leaves; Ctrl-C
//	                        does not reach it            reaches it
//	a suspended child       Linux, FreeBSD: SIGCONT      stays, but for KillWithParent
//	whose parent dies       wakes it
//	terminal signals        SIGINT, SIGHUP               Ctrl-C and Ctrl-Break (os.Interrupt); the
//	                                                     end of the console or session (SIGTERM),
//	                                                     after which 5 s are left
//	a child that computes   is gone in time              is late by its scheduler, if that has
//	                                                     many more goroutines than processors
//	printing to a broken    SIGPIPE, which is caught     an error
//	stdout
//	before Inherited        the link is watched for      the parent's hello is read ahead, and the
//	                        its end                      link watched behind it
//	Link.WriteNow           writes what fits             errors.ErrUnsupported
//	Options.Stdio           sockets may take the         pipes only
//	                        place of pipes
package procspawn
