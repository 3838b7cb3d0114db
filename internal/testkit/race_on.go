//go:build race

package testkit

// RaceEnabled says that the race detector looks on: it slows down what it looks into, and pools
// drop things at random.
const RaceEnabled = true
