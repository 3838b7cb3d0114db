package capture

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	// Tests that run beside each other wait, nearly all of their time: they need no processor each.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
