// Package sentinel finds the two words by which a parent tells its child which descriptors are the
// link, takes them out of os.Args, and claims the descriptors before anything else in the program
// can start a process or look at the arguments.
//
// It imports os and syscall alone, because packages are initialised in the order of their import
// paths and dependencies: with nothing else to wait for this one comes before nearly everything. A
// test keeps it so.
package sentinel

import "os"

// Major is the version that the first word names. It changes only if the second word, or what
// becomes of the descriptors, means something else.
const Major = "1"

const prefix = "viaduct."

// What init found. Written once, before any other package can look.
var (
	Found bool     // there was a sentinel, good or bad
	Err   error    // why it cannot be used: no descriptor was touched then
	Read  *os.File // the child's read end
	Write *os.File // the child's write end
	Crash *os.File // where the runtime is to print when the program crashes; nil: nowhere else
	Stdio bool     // the link was standard input and output
)

func init() {
	i := Find(os.Args)
	if i < 0 {
		return
	}
	first, second := os.Args[i], os.Args[i+1]
	args := make([]string, 0, len(os.Args)-2)
	os.Args = append(append(args, os.Args[:i]...), os.Args[i+2:]...)
	Found = true
	var e ends
	if e, Err = parse(first, second); Err == nil {
		Stdio = e.kind == kindStdio
		Read, Write, Crash, Err = claim(e)
	}
}

// ends is what a second word says.
type ends struct {
	kind  string
	r, w  int
	crash int // 0: none
}

// What a second word begins with.
const (
	kindFd     = "fd"     // descriptors that the child inherits besides the standard ones
	kindHandle = "handle" // the same on Windows
	kindStdio  = "stdio"  // standard input and output
)

// Words returns the sentinel that hands the child descriptors, on Windows handles: one to read
// from, one to write to and, if there is a third, one for crash output.
func Words(fds ...int) [2]string { return words(inheritedKind, fds...) }

// StdioWords returns the sentinel of a link over standard input and output.
func StdioWords() [2]string { return words(kindStdio, 0, 1) }

func words(kind string, fds ...int) [2]string {
	second := kind
	for i, fd := range fds {
		sep := ","
		if i == 0 {
			sep = ":"
		}
		second += sep + itoa(fd)
	}
	return [2]string{prefix + Major, second}
}

// Find returns the index of the first word of the first sentinel behind the program's name in args,
// or -1. It finds those of other versions, and those whose second word is damaged, too: a child had
// better say so than run as if nobody had started it. Something before the colon is asked for all
// the same, so that a file called viaduct.1 among the arguments is no sentinel.
func Find(args []string) int {
	for i := 1; i+1 < len(args); i++ {
		if major(args[i]) != "" && kind(args[i+1]) != "" {
			return i
		}
	}
	return -1
}

// major returns the digits of a first word, "" if word is none.
func major(word string) string {
	if len(word) <= len(prefix) || word[:len(prefix)] != prefix {
		return ""
	}
	digits := word[len(prefix):]
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return ""
		}
	}
	return digits
}

// kind returns what stands before the colon of a second word, "" if word is none.
func kind(word string) string {
	for i := 0; i < len(word); i++ {
		if word[i] == ':' {
			return word[:i]
		}
		if word[i] < 'a' || word[i] > 'z' {
			return ""
		}
	}
	return ""
}

type sentinelError string

func (e sentinelError) Error() string { return string(e) }

func parse(first, second string) (e ends, err error) {
	if m := major(first); m != Major {
		return e, sentinelError("the parent starts children by version " + m + " of the sentinel, this program knows version " +
			Major + ": build both with the same major version of viaduct")
	}
	bad := sentinelError("the word behind " + first + " is damaged: " + second + " was found, " + inheritedKind +
		":R,W or " + inheritedKind + ":R,W,C (different numbers of " + itoa(leastNumber) + " or more) or stdio:0,1 was expected")
	e.kind = kind(second)
	switch {
	case e.kind == kindStdio && second != "stdio:0,1":
		return e, bad
	case e.kind == kindStdio:
		return ends{kindStdio, 0, 1, 0}, nil
	case e.kind != inheritedKind && e.kind == kindHandle:
		return e, sentinelError("the link came as " + second + ": handles belong to Windows, and this program does not run there")
	case e.kind != inheritedKind && e.kind == kindFd:
		return e, sentinelError("the link came as " + second + ": descriptors belong to Unix, and this program does not run there")
	case e.kind != inheritedKind:
		return e, bad
	}
	rest := second[len(e.kind):]
	var list [3]int
	n := 0
	for ; n < len(list) && rest != ""; n++ {
		sep, ok := byte(','), false
		if n == 0 {
			sep = ':'
		}
		if rest[0] != sep {
			return e, bad
		}
		list[n], rest, ok = number(rest[1:])
		if !ok || list[n] < leastNumber || n > 0 && list[n] == list[0] || n == 2 && list[2] == list[1] {
			return e, bad
		}
	}
	if n < 2 || rest != "" {
		return e, bad
	}
	e.r, e.w, e.crash = list[0], list[1], list[2]
	return e, nil
}

// number reads a decimal number as itoa writes it.
func number(s string) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && i < 9 && s[i] >= '0' && s[i] <= '9' {
		n = 10*n + int(s[i]-'0')
		i++
	}
	return n, s[i:], i > 0 && (s[0] != '0' || i == 1)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
