// Package work is what all contenders are asked to do: the values that are sent, what is to come
// back, and what a child can do for its parent. It imports nothing but the standard library, so
// that a program which uses one contender links no other.
package work

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// Pair is the argument of the small call.
type Pair struct{ A, B int }

// Sum is the reply of the small call.
type Sum struct{ C int }

// Record is a struct of ten fields.
type Record struct {
	ID      int
	Name    string
	Email   string
	Age     int
	Balance float64
	Active  bool
	Created int64
	Tags    []string
	Photo   []byte
	Score   float64
}

// NewRecord returns a record such as programs send.
func NewRecord() Record {
	return Record{
		ID: 123456789, Name: "Ada Lovelace", Email: "ada@example.org", Age: 36, Balance: 1234.56, Active: true,
		Created: 1764500000, Tags: []string{"mathematics", "engine", "notes"}, Photo: bytes.Repeat([]byte{1, 2, 3, 4}, 16), Score: 0.75,
	}
}

// Updated is what comes back for r: a year later.
func (r Record) Updated() Record {
	r.Age++
	return r
}

// Equal says whether the two are the same in every field.
func (r Record) Equal(s Record) bool {
	return r.ID == s.ID && r.Name == s.Name && r.Email == s.Email && r.Age == s.Age && r.Balance == s.Balance &&
		r.Active == s.Active && r.Created == s.Created && slices.Equal(r.Tags, s.Tags) && bytes.Equal(r.Photo, s.Photo) && r.Score == s.Score
}

// NewBytes returns n bytes, no two neighbours of which are the same.
func NewBytes(n int) []byte {
	list := make([]byte, n)
	for i := range list {
		list[i] = byte(i + i>>8)
	}
	return list
}

// NewFloats returns n numbers with long fractions.
func NewFloats(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = float64(i) / 7
	}
	return list
}

// Options are those of a start.
type Options struct {
	// CallBack has the child able to call its parent. Where that takes a second connection it is
	// made for this alone.
	CallBack bool
}

// A Peer is a child that was started, as its parent sees it. What else it can do is in the
// interfaces below. Its methods may be called from many goroutines at once.
type Peer interface {
	Adder
	Usage(memory bool) (Usage, error) // of the child
	Close() error                     // ends the child and waits for it
}

// StartFunc starts cmd as a child, and returns when it can be called. The context of cmd kills the
// child.
type StartFunc func(ctx context.Context, cmd *exec.Cmd, opts Options) (Peer, error)

// An Adder makes the small call.
type Adder interface {
	Add(a, b int) (int, error)
}

// An Echoer sends bytes, and gets them back.
type Echoer interface {
	Echo(p []byte) ([]byte, error)
}

// A Bulker has ways beside that of the small calls, which are numbered.
type Bulker interface {
	Bulk(i int) (Echoer, error)
}

// An Updater sends a struct and gets another back.
type Updater interface {
	Update(r Record) (Record, error)
}

// A FloatsEchoer sends numbers and gets them back.
type FloatsEchoer interface {
	EchoFloats(list []float64) ([]float64, error)
}

// A CallBacker has the child call its parent with so many callers for so long, and returns how many
// calls the child has made.
type CallBacker interface {
	CallBack(callers int, d time.Duration) (int, error)
}

// A Pourer sends total bytes as a stream, by writes of chunk bytes, and waits until the child has
// had all of them.
type Pourer interface {
	Pour(total, chunk int) error
}

// A Notifier sends n small messages that are not answered one by one, and waits until the child has
// handled all of them.
type Notifier interface {
	Notify(n int) error
}

// Add makes one small call and looks at its result.
func Add(p Adder, a, b int) error {
	c, err := p.Add(a, b)
	if err != nil {
		return err
	}
	if c != a+b {
		return fmt.Errorf("%d + %d came back as %d", a, b, c)
	}
	return nil
}

// Echo sends p there and looks at what comes back: at its length, its ends and its middle. To
// compare it all would take longer than some contenders do.
func Echo(e Echoer, p []byte) error {
	back, err := e.Echo(p)
	if err != nil {
		return err
	}
	if len(back) != len(p) {
		return fmt.Errorf("%d bytes came back as %d", len(p), len(back))
	}
	for _, i := range []int{0, len(p) / 2, len(p) - 1} {
		if back[i] != p[i] {
			return fmt.Errorf("of %d bytes number %d came back as %d, not %d", len(p), i, back[i], p[i])
		}
	}
	return nil
}

// EchoFloats does with numbers what Echo does with bytes.
func EchoFloats(e FloatsEchoer, list []float64) error {
	back, err := e.EchoFloats(list)
	if err != nil {
		return err
	}
	if len(back) != len(list) {
		return fmt.Errorf("%d numbers came back as %d", len(list), len(back))
	}
	for _, i := range []int{0, len(list) / 2, len(list) - 1} {
		if back[i] != list[i] {
			return fmt.Errorf("of %d numbers number %d came back as %v, not %v", len(list), i, back[i], list[i])
		}
	}
	return nil
}

// Update sends r and looks at what comes back.
func Update(u Updater, r Record) error {
	back, err := u.Update(r)
	if err != nil {
		return err
	}
	if !back.Equal(r.Updated()) {
		return fmt.Errorf("%+v came back as %+v", r, back)
	}
	return nil
}
