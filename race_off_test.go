//go:build !race

package viaduct

const raceEnabled = false
