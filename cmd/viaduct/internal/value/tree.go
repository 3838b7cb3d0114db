package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// tree is a JSON value: numbers as they are written, keys in their order.
type tree struct {
	kind treeKind
	text string   // of a string or number
	yes  bool     // of a boolean
	keys []string // of an object
	kids []*tree
}

type treeKind string

const (
	isNull   treeKind = "null"
	isBool   treeKind = "a boolean"
	isNumber treeKind = "a number"
	isString treeKind = "a string"
	isList   treeKind = "an array"
	isObject treeKind = "an object"
)

// maxDepth is how deep JSON may nest, as what is sent may.
const maxDepth = 1000

// parseJSON reads one JSON value. Nothing of it is changed in silence: bytes that are no UTF-8, and
// keys that come twice, are errors.
func parseJSON(text []byte) (*tree, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("there is no JSON: a value was expected")
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the JSON is not UTF-8: bytes go as base64")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	t, err := readTree(d, 0)
	if err == nil {
		if _, behind := d.Token(); behind != io.EOF {
			err = errors.New("something is behind the value")
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errors.New("it ends too early")
	}
	if err != nil {
		return nil, fmt.Errorf("no JSON at byte %d: %w: %s", d.InputOffset(), err, near(text, d.InputOffset()))
	}
	return t, nil
}

// near shows the text around a place.
func near(text []byte, at int64) string {
	from := max(0, int(at)-20)
	to := min(len(text), int(at)+20)
	return fmt.Sprintf("%q", strings.ToValidUTF8(string(text[from:to]), ""))
}

func readTree(d *json.Decoder, depth int) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := token.(type) {
	case nil:
		return &tree{kind: isNull}, nil
	case bool:
		return &tree{kind: isBool, yes: x}, nil
	case json.Number:
		return &tree{kind: isNumber, text: string(x)}, nil
	case string:
		return &tree{kind: isString, text: x}, nil
	}
	if depth == maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	t := &tree{kind: isList}
	if token == json.Delim('{') {
		t.kind = isObject
	}
	seen := make(map[string]bool)
	for d.More() {
		if t.kind == isObject {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ := token.(string) // the decoder takes nothing else there
			if seen[key] {
				return nil, fmt.Errorf("the key %q comes twice", key)
			}
			seen[key] = true
			t.keys = append(t.keys, key)
		}
		kid, err := readTree(d, depth+1)
		if err != nil {
			return nil, err
		}
		t.kids = append(t.kids, kid)
	}
	_, err = d.Token() // the end
	return t, err
}
