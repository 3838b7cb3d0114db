package listing

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Bounds of a listing, on both sides.
const (
	maxSize    = 4 << 20 // bytes
	maxEntries = 65_536  // methods, types, fields and notes, in all
	maxText    = 4 << 10 // bytes of a doc or note that is sent: longer ones are cut
	maxDepth   = 16      // of values of keys that are not known
)

// Append appends l to b.
func Append(b []byte, l *Listing) ([]byte, error) {
	start := len(b)
	b = mpack.AppendArray(mpack.AppendString(mpack.AppendMap(b, 2), "methods"), len(l.Methods))
	n := len(l.Methods) + len(l.Types)
	for i := range l.Methods {
		m := &l.Methods[i]
		n += len(m.Notes)
		b = appendTexts(b, len(m.Notes) > 0, "name", m.Name, "arg", m.Arg, "reply", m.Reply, "doc", m.Doc)
		if len(m.Notes) > 0 {
			b = mpack.AppendArray(mpack.AppendString(b, "notes"), len(m.Notes))
			for _, note := range m.Notes {
				b = mpack.AppendString(b, cut(note))
			}
		}
	}
	b = mpack.AppendArray(mpack.AppendString(b, "types"), len(l.Types))
	for i := range l.Types {
		t := &l.Types[i]
		n += len(t.Fields)
		if t.Is != "" {
			b = appendTexts(b, false, "name", t.Name, "is", t.Is)
			continue
		}
		b = mpack.AppendMap(b, 3)
		b = mpack.AppendStrings(b, "name", t.Name, "positional")
		b = mpack.AppendBool(b, t.Positional)
		b = mpack.AppendArray(mpack.AppendString(b, "fields"), len(t.Fields))
		for _, f := range t.Fields {
			b = appendTexts(b, false, "name", f.Name, "type", f.Type, "doc", f.Doc)
		}
	}
	if size := len(b) - start; size > maxSize || n > maxEntries {
		return b[:start], fmt.Errorf("%w: %d bytes and %d methods, types, fields and notes are more than %d and %d", errNotListed, size, n, maxSize, maxEntries)
	}
	return b, nil
}

// appendTexts appends a map from keys to texts, without those that are empty. more says that one more
// pair follows.
func appendTexts(b []byte, more bool, pairs ...string) []byte {
	n := 0
	for i := 1; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			n++
		}
	}
	if more {
		n++
	}
	b = mpack.AppendMap(b, n)
	for i := 1; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			b = mpack.AppendStrings(b, pairs[i-1], cut(pairs[i]))
		}
	}
	return b
}

// cut returns the beginning of a text that is too long.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// Parse reads what a peer has listed. Keys that it does not know are passed over.
func Parse(b []byte) (*Listing, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("viaduct: the listing that came has %d bytes, at most %d were expected", len(b), maxSize)
	}
	if err := mpack.Check(b, maxDepth); err != nil {
		return nil, fmt.Errorf("viaduct: the listing that came: %w", err)
	}
	p := parser{left: maxEntries}
	l := new(Listing)
	if err := p.listing(b, l); err != nil {
		return nil, fmt.Errorf("viaduct: the listing that came: %w", err)
	}
	return l, nil
}

// parser reads a listing that is known to be whole.
type parser struct{ left int } // entries that may still come

// pairs calls f for each pair of the map b.
func pairs(b []byte, f func(key string, value []byte) error) error {
	_, err := mpack.EachPair(b, maxDepth, func(key, value []byte) error {
		if err := f(string(key), value); err != nil {
			return fmt.Errorf("%.20q: %w", key, err)
		}
		return nil
	})
	return err
}

// each calls f for each element of the array b.
func (p *parser) each(b []byte, f func(element []byte) error) error {
	n, b, err := mpack.ReadArray(b)
	if err != nil {
		return err
	}
	if p.left -= n; p.left < 0 {
		return fmt.Errorf("there are more than %d methods, types, fields and notes", maxEntries)
	}
	for range n {
		size, err := mpack.Skip(b, maxDepth)
		if err != nil {
			return err
		}
		if err := f(b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// text reads a str into s.
func text(b []byte, s *string) error {
	v, _, err := mpack.ReadString(b)
	*s = string(v)
	return err
}

var errNoName = errors.New("one has no name")

func (p *parser) listing(b []byte, l *Listing) error {
	return pairs(b, func(key string, value []byte) error {
		switch key {
		case "methods":
			return p.each(value, func(b []byte) error {
				m, err := p.method(b)
				l.Methods = append(l.Methods, m)
				return err
			})
		case "types":
			return p.each(value, func(b []byte) error {
				t, err := p.typ(b)
				l.Types = append(l.Types, t)
				return err
			})
		}
		return nil
	})
}

func (p *parser) method(b []byte) (m Method, err error) {
	err = pairs(b, func(key string, value []byte) error {
		switch key {
		case "name":
			return text(value, &m.Name)
		case "arg":
			return text(value, &m.Arg)
		case "reply":
			return text(value, &m.Reply)
		case "doc":
			return text(value, &m.Doc)
		case "notes":
			return p.each(value, func(b []byte) error {
				m.Notes = append(m.Notes, "")
				return text(b, &m.Notes[len(m.Notes)-1])
			})
		}
		return nil
	})
	if err == nil && m.Name == "" {
		err = errNoName
	}
	return m, err
}

func (p *parser) typ(b []byte) (t Type, err error) {
	err = pairs(b, func(key string, value []byte) error {
		switch key {
		case "name":
			return text(value, &t.Name)
		case "is":
			return text(value, &t.Is)
		case "positional":
			h, err := mpack.ReadHead(value)
			if err == nil && h.Kind != mpack.Bool {
				err = &mpack.KindError{Want: mpack.Bool, Got: h.Kind}
			}
			t.Positional = h.Num == 1
			return err
		case "fields":
			return p.each(value, func(b []byte) error {
				f, err := parseField(b)
				t.Fields = append(t.Fields, f)
				return err
			})
		}
		return nil
	})
	if err == nil && t.Name == "" {
		err = errNoName
	}
	return t, err
}

func parseField(b []byte) (f Field, err error) {
	err = pairs(b, func(key string, value []byte) error {
		switch key {
		case "name":
			return text(value, &f.Name)
		case "type":
			return text(value, &f.Type)
		case "doc":
			return text(value, &f.Doc)
		}
		return nil
	})
	if err == nil && f.Name == "" {
		err = errNoName
	}
	return f, err
}
