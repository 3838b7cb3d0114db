// Package limits bounds what a child process may take, and tells which bound has ended it. On Linux
// it uses rlimits, control groups of version 2, and a watcher of resident memory; on Windows a job;
// elsewhere a watcher where the system tells how much memory a process holds, and a timer.
//
// It assumes that AtStart of a Guard is called before the process has executed an instruction, on
// Linux and Windows, and that what Begin is given kills the process and no other.
//
// It promises:
//   - What cannot be set is an error that names the field of Options.Limits, and then nothing is
//     left: files of a control group have what they had before.
//   - Only memory that no system bounds is looked at again and again: see pause.
//   - After End nothing of a Guard is left: no goroutine, timer, descriptor.
package limits
