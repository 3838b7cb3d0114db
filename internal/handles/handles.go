// Package handles hands rpcpipe what it needs of duplex and procspawn and their other users do not:
// these two set the functions here when they are initialised, so that their public faces have none of it.
package handles

// DefaultMaxMessage is the largest message that a side takes unless it says otherwise, in bytes, on
// links of all kinds.
const DefaultMaxMessage = 128 << 20

// TestChild is the first argument of a child of rpctest, which any program that imports it can be: it
// needs no branch for that in its main.
const TestChild = "viaduct-rpctest-child"
