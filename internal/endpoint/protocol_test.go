package endpoint_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exampleMessage is a message of the example in PROTOCOL.md.
type exampleMessage struct{ from, hex string }

func (m exampleMessage) bytes() []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(m.hex, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var exampleMessages = []exampleMessage{
	{"A", "94 00 ce 00 00 00 07 a9 41 72 69 74 68 2e 41 64 64 91 82 a1 41 01 a1 42 02"},
	{"B", "94 01 ce 00 00 00 07 c0 81 a1 43 03"},
	{"A", "94 00 08 a9 41 72 69 74 68 2e 44 69 76 91 82 a1 42 00 a1 41 01"},
	{"B", "94 01 ce 00 00 00 08 ae 64 69 76 69 64 65 20 62 79 20 7a 65 72 6f c0"},
	{"A", "95 00 09 a8 52 61 77 2e 45 63 68 6f 91 c4 02 00 ff 81 a1 78 01"},
	{"B", "94 01 ce 00 00 00 09 c0 c4 02 00 ff"},
	{"A", "93 02 a6 4c 6f 67 2e 44 6f 91 a2 68 69"},
}

// TestExampleIsInTheText: what the text shows is what TestExample has tried.
func TestExampleIsInTheText(t *testing.T) {
	text, err := os.ReadFile("../../docs/PROTOCOL.md")
	if os.IsNotExist(err) {
		text, err = os.ReadFile("PROTOCOL-messages.md")
	}
	require.NoError(t, err)
	rest := string(text)
	for _, m := range exampleMessages {
		line := m.from + "  " + m.hex + "  "
		_, after, found := strings.Cut(rest, line)
		require.True(t, found, "not in the text, or in another order: %s", line)
		rest = after
	}
}
