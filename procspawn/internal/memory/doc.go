// Package memory tells how much memory a child process has held, and whether the system has killed
// it for lack of memory. It reads what Linux says of processes and control groups; elsewhere it
// knows no more than what a process holds now.
//
// It assumes that a Record's Sample is called while the number of the process is its own.
//
// It promises that nothing here waits, and that nothing of a Record fails: what is not known is 0,
// or false.
package memory
