//go:build race

package viaduct

const raceEnabled = true
