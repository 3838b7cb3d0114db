package body_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
)

var update = flag.Bool("update", false, "write TYPES.md anew")

// What is not as with package gob: all of it is in TYPES.md, in this order. The last nine
// are no matter of one type: TestFilledReplies, TestUntoldType, TestPromotedHere and TestElsewhere show
// most of them.
const (
	keepsEmpty  = "gob does not tell nil from empty. Here nil comes back nil, and what was empty comes back empty."
	keepsNilMap = "gob makes a nil map an empty one where it is the whole argument or reply. Here it comes back nil."
	noPointer   = "gob refuses nil. Here a nil pointer, or no argument at all, arrives as a zero value: net/rpc makes the pointer that a method gets, so that one is never nil."
	keepsZero   = "gob sends no zero values, so that a pointer to one comes back nil. Here it comes back as it was."
	leftOut     = "A field with the tag `msgpack:\"-\"` is not sent, and where the value arrives it stays as it is. gob does not know these tags."
	inUTC       = "From another peer a time comes back with its instant, to the nanosecond, and in UTC. Between Go programs it keeps its offset, as with gob."
	precision   = "The text of a big.Float does not say its precision: from another peer it comes back with 64 bits."
	untyped     = "Another peer does not know Go's types. What is in an interface comes back from it as the type that fits the MessagePack: nil, bool, int (int64 or uint64 if it is too large), float64, string, []byte, []any, map[string]any (map[any]any if a key is no string), time.Time or viaduct.Ext."
	nilInAny    = "A nil []byte, []any or map[string]any in an interface comes back as an interface that is nil itself."
	nilBoxed    = "So does any nil pointer from another peer."
	overwrites  = "A reply goes into the caller's variable as the method returned it: a slice or map is replaced (the array of a slice may be used again), a field set, be it to zero. gob leaves out what is zero, so that there stays what was there, and adds to a map. Here only fields that are not sent stay as they are: those that the other side does not have, zeros with the option `omitempty`, and zeros that their own methods do not write, or do not read as zeros."
	directWins  = "The fields of an embedded struct are taken from keys of their own, as with gob. Where the embedded struct has come by its own key as well, that wins; with gob, what came last and is no zero."
	nilLeaves   = "A nil pointer that goes into a field which is none leaves it as it was, as with gob. From another peer a nil there is an error."
	nilHeld     = "A pointer to an interface that is nil comes back as a nil pointer. gob keeps the pointer in slices and maps."
	untold      = "A value that is passed to a method which takes an interface, `any` say, has no type to tell: gob refuses it. Here it arrives as from another peer, (h): pass a pointer to an interface variable to keep the type."
	msgpFirst   = "A type with MarshalMsg and UnmarshalMsg, as tinylib/msgp generates them, crosses as these write it, whatever other methods it has. What they leave out does not arrive. gob does not know them."
	mapsFit     = "A map whose keys are text goes into a struct as a struct would, and a struct into such a map: keys that are no fields are skipped. That none is a field is an error where the value is the whole argument or reply, or in an interface. gob refuses all of it."
	longLabel   = "The name of a type in an interface goes with a zero of it, which may take 64 KiB: a struct with a larger array in it is refused. Register and send a pointer to a struct that has a slice, or a pointer, in its place."
	nilReply    = "A reply that is nil as a whole empties the caller's variable if that is a slice, and leaves it as it is otherwise. gob does the same to a slice, adds nothing to a map, and refuses other nils."
)

var differences = []string{keepsEmpty, keepsNilMap, noPointer, keepsZero, leftOut, inUTC, precision, untyped, nilInAny, nilBoxed, overwrites, nilReply, untold, directWins, nilLeaves, nilHeld, msgpFirst, mapsFit, longLabel}

// docSection and docRow are a part of TYPES.md.
type docSection struct {
	title string
	rows  []docRow
}

type docRow struct{ name, typ, gob, goPeer, open string }

func countRows(sections []docSection) (n int) {
	for _, s := range sections {
		n += len(s.rows)
	}
	return n
}

func letter(t *testing.T, difference string) string {
	i := slices.Index(differences, difference)
	require.GreaterOrEqual(t, i, 0, "not among the differences: %s", difference)
	return fmt.Sprintf("(%c)", 'a'+i)
}

// refused is what a cell says of an error: what was wrong, without the call that it was wrong with.
func refused(err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "panic: ") {
		return "panics"
	}
	var body *viaduct.BodyError
	if errors.As(err, &body) {
		text = body.Err.Error()
	}
	return "refused: " + strings.ReplaceAll(callPrefix.ReplaceAllString(text, ""), "gob: ", "")
}

// callPrefix is the head of a BodyError's text, which comes as an rpc.ServerError from the other
// side.
var callPrefix = regexp.MustCompile(`^viaduct: cannot \w+ \w+ of Echo\.Do, type .*?[^:]: `)

// generatedBelow is a line of TYPES.md. What is above it is written by hand.
const generatedBelow = "<!-- From here on written by: go test -run TestTypes ./internal/body -update -->\n"

func checkTypesDoc(t *testing.T, sections []docSection) {
	text, err := os.ReadFile("../../docs/TYPES.md")
	require.NoError(t, err)
	got := strings.ReplaceAll(string(text), "\r\n", "\n")
	byHand, _, found := strings.Cut(got, generatedBelow)
	require.True(t, found, "TYPES.md has no line %q", generatedBelow)
	table := typesDoc(sections)
	for _, d := range differences[:len(differences)-9] {
		require.Contains(t, table, "differs: "+letter(t, d), "no case shows: %s", d)
	}
	want := byHand + generatedBelow + table
	if *update && want != got {
		require.NoError(t, os.WriteFile("../../docs/TYPES.md", []byte(want), 0o666))
	} else if want != got {
		t.Errorf("TYPES.md is not what was seen: run go test -run TestTypes ./internal/body -update and look at what changes")
	}
}

func typesDoc(sections []docSection) string {
	b := new(strings.Builder)
	for i, d := range differences {
		fmt.Fprintf(b, "\n- **(%c)** %s", 'a'+i, d)
	}
	fmt.Fprintf(b, "\n\n## All %d cases\n", countRows(sections))
	for _, s := range sections {
		fmt.Fprintf(b, "\n### %s\n\n| case | Go type | gob | between Go programs | to any other peer |\n|---|---|---|---|---|\n", s.title)
		for _, r := range s.rows {
			fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s |\n", plainText(r.name), short(r.typ), plainText(short(r.gob)), plainText(short(r.goPeer)), plainText(short(r.open)))
		}
	}
	return b.String()
}

func plainText(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "[", `\[`, "<", `\<`, "_", `\_`).Replace(s)
}

// short leaves out the package of the tests.
func short(s string) string { return strings.ReplaceAll(s, "body_test.", "") }
