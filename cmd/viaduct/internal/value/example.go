package value

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// exampleDepth is how deep an example goes.
const exampleDepth = 4

// exampleLen is how many elements and bytes it shows.
const exampleLen = 16

// Example returns JSON of the shape that a type has, in one line, for people: zeros, and one element
// in each list. It is empty for a type that nothing can be sent of.
func (s *Schema) Example(of string) string {
	t := s.typeOf(of).behind()
	if t.kind == goKind || t.kind == never {
		return ""
	}
	return t.example(0)
}

func (t *typ) example(depth int) string {
	t = t.behind()
	if depth >= exampleDepth { // what has parts has none there
		switch t.kind {
		case pointer:
			return "null"
		case sliceKind:
			return "[]"
		case mapKind, structKind:
			return "{}"
		}
	}
	switch t.kind {
	case boolKind:
		return "false"
	case intKind, uintKind:
		return "0"
	case floatKind:
		return "0.5"
	case stringKind, textKind:
		return `"text"`
	case bytesKind:
		return `"AAAA"`
	case blockKind:
		return strconv.Quote(base64.StdEncoding.EncodeToString(make([]byte, min(t.n, exampleLen))))
	case timeKind:
		return `"2006-01-02T15:04:05Z"`
	case spanKind:
		return `"1.5s"`
	case extKind:
		return `{"$ext":[1,"AAAA"]}`
	case listKind:
		return "[]"
	case pointer:
		return t.elem.example(depth + 1)
	case sliceKind:
		return "[" + t.elem.example(depth+1) + "]"
	case arrayKind:
		shown := strings.Repeat(t.elem.example(depth+1)+",", min(t.n, exampleLen))
		return "[" + strings.TrimSuffix(shown, ",") + "]"
	case mapKind:
		return "{" + t.key.exampleKey() + ":" + t.elem.example(depth+1) + "}"
	case structKind:
		var fields []string
		for _, f := range t.fields {
			fields = append(fields, fmt.Sprintf("%s:%s", strconv.Quote(f.name), f.typ.example(depth+1)))
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	return "null"
}

func (t *typ) exampleKey() string {
	if text := t.example(exampleDepth); strings.HasPrefix(text, `"`) {
		return text
	} else if strings.ContainsAny(text, "{[n") {
		return `"key"`
	} else {
		return `"` + text + `"`
	}
}
