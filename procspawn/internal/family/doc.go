// Package family starts a child process so that the system and we can end it and what it starts,
// and ends it: process groups and death signals on Unix, jobs on Windows.
//
// It assumes a Cmd that has not been started, and that nobody but Tree.Wait waits for its process.
//
// It promises:
//   - Until Wait has returned, the process's number is its own: no signal reaches another process.
//   - A group is ended as a whole by Kill, and what is left of it when its first process has ended
//     is killed by Wait.
//   - Whatever limits a process is to have, Options.AtStart can set them in time.
//   - With Options.KillOrphan or WakeOrphan the signal comes when this process dies, and not when
//     one of its threads ends.
//
// On systems other than Unix and Windows Start fails with errors.ErrUnsupported.
package family

import "os"

// Options say how a process is tied to this one and to those that it starts.
type Options struct {
	Group      bool // what it starts is ended with it
	KillOrphan bool // the system kills it when this process dies
	WakeOrphan bool // the system, where it can, wakes it then if it is stopped

	// OnThread is called on the thread that starts the process, which is one of its own and lives
	// as long. Linux alone has threads of different kinds: elsewhere it must be nil.
	OnThread func() error

	// AtStart is called once the process has been started, on Linux and Windows before it executes
	// an instruction. If it fails the process is killed.
	AtStart func(pid int) error

	// Cgroup is the directory of a control group in which the process is started, which is killed
	// with a Group. It is to be open until Wait has returned. Linux alone has them: elsewhere it
	// must be nil.
	Cgroup *os.File
}
