//go:build !unix

package rpcpipe

// newTermination has nothing to hold back: nobody is sent the signal here. (What Windows calls so
// is the end of a console or session, see package procspawn.)
func newTermination() *termination { return nil }
