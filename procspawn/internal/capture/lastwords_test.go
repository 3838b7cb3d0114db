package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLastWords(t *testing.T) {
	for stderr, want := range map[string]string{
		"":                        "",
		"\n\n \n":                 "",
		"one":                     "one",
		"1\n2\n3\n4\n":            "2 / 3 / 4",
		"1\r\n\n2\r\n\t3 \n\n":    "1 / 2 / 3",
		"a\tb\x1b[1mc\xffd\x00":   "a b\uFFFD[1mc\uFFFDd\uFFFD",
		strings.Repeat("x", 1000): strings.Repeat("x", 300) + "...",
	} {
		assert.Equal(t, want, LastWords([]byte(stderr)))
	}
}
