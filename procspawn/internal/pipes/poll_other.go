//go:build unix && !linux

package pipes

// pollHalfClosed is nothing here: a socket whose other end writes no more is noticed once the link
// is read.
const pollHalfClosed = 0
