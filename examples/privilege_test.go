package examples_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// needLinux skips the test of an example that is for Linux, and says so elsewhere.
func needLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the example is for Linux")
	}
}

// privilegeAlike has a child that could not be given another user say what one says that was. Where
// the example is run by root nothing is changed: the child has to be refused what it tries.
func privilegeAlike(output string) string {
	if os.Geteuid() == 0 {
		return output
	}
	return strings.NewReplacer(
		"the child keeps this user, as only root can give it another: it is not confined\n", "the child runs as another user\n",
		"child: reads the key by itself: done\n", "child: reads the key by itself: permission denied\n",
		"child: signals its parent by itself: done\n", "child: signals its parent by itself: operation not permitted\n",
	).Replace(output)
}
