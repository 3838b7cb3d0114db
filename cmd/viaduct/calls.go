package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// outcome is the line that is written for one of many calls.
type outcome struct {
	Line   int             `json:"line"`
	Method string          `json:"method"`
	Reply  json.RawMessage `json:"reply,omitempty"`
	Error  string          `json:"error,omitempty"`
	Code   int             `json:"code,omitempty"`
}

// all makes the calls of a file, one after the other. The first failure is its error; it ends at one
// that is not about a call alone.
func (c *caller) all(ctx context.Context) error {
	file := c.streams.in
	if name := c.line.calls; name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return usage("-calls: %v", err)
		}
		defer f.Close()
		file = f
	}
	var first error
	out := json.NewEncoder(c.streams.out)
	out.SetEscapeHTML(false)
	for next := range lines(ctx, file) {
		if next.err != nil {
			return next.err
		}
		method, text, _ := bytes.Cut(next.text, []byte(" "))
		o := &order{method: string(method), text: bytes.TrimSpace(text)}
		if len(o.text) == 0 {
			o.text = nil
		}
		result := outcome{Line: next.number, Method: o.method}
		reply, err := c.call(ctx, o)
		if err != nil {
			f := failureOf(ctx, err)
			result.Error, result.Code = f.text, f.code
			if first == nil {
				first = &failure{f.code, fmt.Sprintf("line %d: %s", next.number, f.text)}
			}
			switch f.code {
			case codeInterrupted:
				return err
			case codeLinkDied:
				return errors.Join(first, out.Encode(result))
			}
		} else {
			result.Reply = reply
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return first
}

type numbered struct {
	number int
	text   []byte
	err    error
}

// lines reads the lines of r that have a call, until ctx ends: that of a terminal may never do.
func lines(ctx context.Context, r io.Reader) func(yield func(numbered) bool) {
	read := make(chan numbered)
	go func() {
		defer close(read)
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxInput)
		number := 0
		send := func(n numbered) bool {
			select {
			case read <- n:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for scanner.Scan() {
			number++
			text := bytes.TrimSpace(scanner.Bytes())
			if len(text) > 0 && text[0] != '#' && !send(numbered{number, bytes.Clone(text), nil}) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			send(numbered{err: usage("-calls: behind line %d: %v", number, err)})
		}
	}()
	return func(yield func(numbered) bool) {
		for {
			select {
			case n, ok := <-read:
				if !ok || !yield(n) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
