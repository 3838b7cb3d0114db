package testkit

import (
	"flag"
	"runtime"
)

// Parallel has sixteen tests run beside each other, for packages whose parallel tests wait, most of
// their time, and need no processor each. TestMain calls it before it runs them.
func Parallel() {
	flag.Parse()
	n := "16"
	if runtime.GOOS == "windows" { // all programs of Wine share one server
		n = "1"
	}
	if err := flag.Set("test.parallel", n); err != nil {
		panic(err)
	}
}
