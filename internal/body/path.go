package body

import (
	"fmt"
	"reflect"
	"strings"
)

const (
	maxStep = 100
	maxPath = 1000
)

// pathError is an error in a part of a value.
type pathError struct {
	path string // such as .Field or [3], from the whole to the part
	err  error
}

func (e *pathError) Error() string {
	return "field " + strings.TrimPrefix(e.path, ".") + ": " + e.err.Error()
}

func (e *pathError) Unwrap() error { return e.err }

// atPath adds a step to the path of err: a field name, or an index in brackets.
func atPath(step string, err error) error {
	if step == "" {
		return err
	}
	if step[0] != '[' {
		step = "." + step
	}
	if len(step) > maxStep { // the key of a map, of any length
		step = step[:maxStep] + "...]"
	}
	if p, ok := err.(*pathError); ok {
		path := step + p.path
		if len(path) > maxPath { // a deep value must not make a long text, nor many of them
			path = path[:maxPath] + "..."
		}
		return &pathError{path, p.err}
	}
	return &pathError{step, err}
}

// keyStep names a key of a map. Keys with methods are not asked: to print a number can take any
// time.
func keyStep(k reflect.Value) string {
	if k.Kind() == reflect.Interface {
		k = k.Elem()
	}
	switch {
	case k.Kind() == reflect.String:
		return "[" + k.String() + "]"
	case k.CanInt():
		return fmt.Sprintf("[%d]", k.Int())
	case k.CanUint():
		return fmt.Sprintf("[%d]", k.Uint())
	default:
		return "[]"
	}
}
