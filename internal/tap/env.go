package tap

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// ParseEnv reads the value of a variable: the name of a file, and behind commas contents, or max=N for
// bytes. %p in the name is this process's number.
func ParseEnv(value string) (Config, error) {
	name, rest, more := strings.Cut(value, ",")
	c := Config{File: strings.ReplaceAll(name, "%p", strconv.Itoa(os.Getpid()))}
	if name == "" {
		return c, fmt.Errorf("%q begins with no name of a file", value)
	}
	for more {
		var word string
		word, rest, more = strings.Cut(rest, ",")
		number, isMax := strings.CutPrefix(word, "max=")
		switch {
		case word == "contents":
			c.Contents = true
		case isMax:
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || n < LeastBytes {
				return c, fmt.Errorf("%q has max=%s: bytes were expected, %d at least", value, number, LeastBytes)
			}
			c.MaxBytes = n
		default:
			return c, fmt.Errorf("%q has %q behind the name of the file: contents or max=bytes was expected", value, word)
		}
	}
	return c, nil
}

// byValue are the Recorders of values of variables: all links of a process that are told of a file by
// the same value share it.
var byValue struct {
	mu        sync.Mutex
	recorders map[string]*Recorder
}

// FromEnv returns the Recorder for the value of a variable.
func FromEnv(value string) (*Recorder, error) {
	c, err := ParseEnv(value)
	if err != nil {
		return nil, err
	}
	byValue.mu.Lock()
	defer byValue.mu.Unlock()
	if byValue.recorders == nil {
		byValue.recorders = make(map[string]*Recorder)
	}
	r := byValue.recorders[value]
	if r == nil {
		r = New(c)
		byValue.recorders[value] = r
	}
	return r, nil
}

// Without returns env without the variable of this name.
func Without(env []string, name string) []string {
	left := make([]string, 0, len(env))
	for _, variable := range env {
		n, _, _ := strings.Cut(variable, "=")
		if n == name || runtime.GOOS == "windows" && strings.EqualFold(n, name) {
			continue
		}
		left = append(left, variable)
	}
	return left
}
