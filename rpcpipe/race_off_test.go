//go:build !race

package rpcpipe_test

const raceEnabled = false
