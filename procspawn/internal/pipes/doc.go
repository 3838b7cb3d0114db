// Package pipes makes the pipes between a parent and its child, and gives each side its ends: those
// of the link as a connection, those of the child's output as readers.
//
// It assumes that package os has the system's poller for pipes, and that a process inherits nothing
// but what its exec.Cmd names.
//
// It promises, on Unix and Windows:
//   - Nobody but the caller and the child of HandOver gets an end of a pipe, also if other
//     processes are started at the same time.
//   - Close releases whoever reads or writes here; so does a deadline. Both work on ends that were
//     inherited, synchronous ones of Windows included.
//   - What lies in a pipe when its read deadline passes can still be read: the other process may
//     be dead, and this one late.
//   - Conn.WriteNow and Conn.Watch take nothing from other readers and writers of the Conn.
//
// Elsewhere making a pipe fails with errors.ErrUnsupported.
package pipes
