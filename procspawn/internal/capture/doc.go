// Package capture takes what a child prints: it hands it to the caller's writers, keeps the end of
// it for the report, and finds in it why a Go program has crashed.
//
// It assumes a Cmd that is about to be started, and that Finish is called when its process has
// exited.
//
// It promises:
//   - The streams for which the caller has given no file are always drained: a writer that fails
//     or is slow does not lose what the report needs. One that is slow holds the child up, as with
//     os/exec, until the child has exited.
//   - Another process that keeps the child's streams delays nobody: Finish and Release are
//     bounded.
//   - After Release no writer of the caller is called. A call that does not return is left alone.
//   - What is kept is bounded: TailSize bytes of a stream, 1 MiB of a crash.
package capture
