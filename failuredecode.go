package viaduct

import (
	"errors"
	"fmt"
	"math"
	"net/rpc"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// failureOf returns the error that a response is, nil if it is none.
func (o *Options) failureOf(m *message) error {
	if m.err == nil {
		return nil
	}
	b := m.checkedError(o.maxDepth())
	if f := o.decodeFailure(b); f != nil {
		return f
	}
	return rpc.ServerError(errorText(b))
}

// errorText is failureOf for who wants its text alone, empty if there is none.
func (o *Options) errorText(m *message) string {
	if err := o.failureOf(m); err != nil {
		if text := err.Error(); text != "" {
			return text
		}
		return unknownError
	}
	return ""
}

// decodeFailure returns nil if b, of which only the structure was checked, is no map with a text.
func (o *Options) decodeFailure(b []byte) *failure {
	if !o.extended() {
		return nil
	}
	n, b, err := mpack.ReadMap(b)
	if err != nil {
		return nil
	}
	f, known := &failure{}, false
	for range n {
		key, rest, err := mpack.ReadString(b)
		if err != nil {
			return nil
		}
		size, err := mpack.Skip(rest, o.maxDepth())
		if err != nil {
			return nil
		}
		value := rest[:size:size]
		b = rest[size:]
		switch string(key) {
		case keyText:
			text, _, err := mpack.ReadString(value)
			if err != nil {
				return nil
			}
			f.text, known = string(text), true
		case keyIs:
			for _, name := range readStrings(value, min(maxNames, maxParts-len(f.parts))) {
				if err := errorNamed(name); err != nil {
					f.parts = append(f.parts, err)
				}
			}
		default:
			if len(f.parts) == maxParts {
				break
			}
			if part := o.decodePart(string(key), value); part != nil {
				f.parts = append(f.parts, part)
			}
		}
	}
	if !known {
		return nil
	}
	return f
}

// decodePart returns nil for what this side does not know or understand.
func (o *Options) decodePart(key string, b []byte) error {
	switch key {
	case keyPanic:
		if s := readStrings(b, 2); len(s) >= 2 {
			return &PanicError{Value: s[0], Stack: s[1]}
		}
	case keyBody:
		if s := readStrings(b, 5); len(s) >= 5 {
			return &BodyError{s[0], s[1], s[2], s[3], errors.New(s[4])}
		}
	case keyOver:
		if e := decodeSizeError(b); e != nil {
			return e
		}
	case keyError:
		if e := o.decodeError(b); e != nil {
			return e
		}
	}
	return nil
}

func decodeSizeError(b []byte) *SizeError {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 2 {
		return nil
	}
	size, b, err := readInt(b)
	if err != nil {
		return nil
	}
	limit, _, err := readInt(b)
	if err != nil {
		return nil
	}
	return &SizeError{Size: size, Limit: limit}
}

func (o *Options) decodeError(b []byte) *Error {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 3 {
		return nil
	}
	code, b, err := readInt(b)
	if err != nil {
		return nil
	}
	message, b, err := mpack.ReadString(b)
	if err != nil {
		return nil
	}
	e := &Error{Code: code, Message: string(message)}
	size, err := mpack.Skip(b, o.maxDepth())
	if err == nil {
		err = o.plain().decodeBody(b[:size:size], &e.Data)
	}
	if err != nil {
		e.Data = fmt.Errorf("viaduct: cannot decode the data of an error: %w", err)
	}
	return e
}

// readInt reads an integer that fits Go's.
func readInt(b []byte) (int, []byte, error) {
	h, err := mpack.ReadHead(b)
	if err != nil {
		return 0, nil, err
	}
	n := int64(h.Num)
	if h.Kind != mpack.Int && h.Kind != mpack.Uint || h.Kind == mpack.Uint && h.Num > math.MaxInt64 || int64(int(n)) != n {
		return 0, nil, fmt.Errorf("a %v that is no int of this machine", h.Kind)
	}
	return int(n), b[h.Size:], nil
}

const (
	maxNames = 64           // of an error that are looked at
	maxParts = maxNames + 8 // of one
)

// readStrings reads an array that begins with strings, up to what is none, and so many at most.
func readStrings(b []byte, most int) (list []string) {
	n, b, err := mpack.ReadArray(b)
	if err != nil {
		return nil
	}
	for range min(n, most) {
		s, rest, err := mpack.ReadString(b)
		if err != nil {
			return list
		}
		list = append(list, string(s))
		b = rest
	}
	return list
}
