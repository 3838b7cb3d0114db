package procspawn

import (
	"strings"
	"unicode"
)

// lastWords returns the last lines of a process's stderr as one.
func lastWords(stderr []byte) string {
	const lines = 3
	var last []string
	for line := range strings.Lines(string(stderr)) {
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
	return printable(line)
}

// printable replaces what would not show, or upset a terminal.
func printable(s string) string {
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
