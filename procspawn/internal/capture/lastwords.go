package capture

import (
	"strings"
	"unicode"
)

// LastWords returns the last lines of what a process has printed as one, fit to be shown; empty if
// it has printed nothing but white space.
func LastWords(printed []byte) string {
	const lines = 3
	var last []string
	for line := range strings.Lines(string(printed)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(last) == lines {
			last = last[1:]
		}
		last = append(last, line)
	}
	for i, line := range last {
		last[i] = shorten(line)
	}
	return strings.Join(last, " / ")
}

// shorten makes a line fit to be shown among others.
func shorten(line string) string {
	const size = 300
	if len(line) > size {
		line = line[:size] + "..."
	}
	return Printable(line)
}

// Printable replaces what would not show, or would upset a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
