package procspawn

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// Needs is what a side asks of the application on the other side: see Options.NeedName.
type Needs struct{ Name, MinVersion, MaxVersion string }

// String returns, for instance, "app 3 to 4".
func (n Needs) String() string {
	var parts []string
	if n.Name != "" {
		parts = append(parts, capture.Printable(n.Name))
	}
	low, high := capture.Printable(n.MinVersion), capture.Printable(n.MaxVersion)
	switch {
	case low == "" && high == "":
	case low == high:
		parts = append(parts, low)
	case high == "":
		parts = append(parts, low+" or later")
	case low == "":
		parts = append(parts, high+" or earlier")
	default:
		parts = append(parts, low+" to "+high)
	}
	return strings.Join(parts, " ")
}

// AppError reports an application that is not what the other side needs.
type AppError struct {
	Remote        bool   // the other side does not fit; else this one does not
	Name, Version string // of the application that does not fit
	Needs         Needs  // of the side that refuses it

	at side
}

func (e *AppError) Error() string {
	is, refuses := e.at.names()
	if !e.Remote {
		is, refuses = refuses, is
	}
	return fmt.Sprintf("%s is %s, %s needs %v: install versions that fit together", is, appText(e.Name, e.Version), refuses, e.Needs)
}

func appText(name, version string) string {
	switch {
	case name == "" && version == "":
		return "an application without name and version"
	case name == "":
		return "version " + capture.Printable(version) + " of an application without a name"
	case version == "":
		return capture.Printable(name) + ", without a version"
	}
	return capture.Printable(name) + " " + capture.Printable(version)
}

// side is where an error happens, so that its text can name the two sides.
type side uint8

const (
	inNeither side = iota
	inParent
	inChild
)

func (s side) names() (remote, local string) {
	switch s {
	case inParent:
		return "child", "this host"
	case inChild:
		return "parent", "this child"
	}
	return "the other side", "this side"
}

// checkApps compares what each side is with what the other one needs.
func checkApps(mine, theirs *Hello, at side) error {
	if !mine.Needs.met(theirs.Name, theirs.AppVersion) {
		return &AppError{Remote: true, Name: theirs.Name, Version: theirs.AppVersion, Needs: mine.Needs, at: at}
	}
	if !theirs.Needs.met(mine.Name, mine.AppVersion) {
		return &AppError{Name: mine.Name, Version: mine.AppVersion, Needs: theirs.Needs, at: at}
	}
	return nil
}

// met reports whether an application fits. One whose version cannot be compared does not, if a
// version is asked for.
func (n Needs) met(name, version string) bool {
	if n.Name != "" && n.Name != name {
		return false
	}
	if n.MinVersion == "" && n.MaxVersion == "" {
		return true
	}
	v, ok := parseVersion(version)
	if !ok {
		return false
	}
	low, _ := parseVersion(n.MinVersion)
	high, _ := parseVersion(n.MaxVersion)
	return compareVersion(v, low) >= 0 && compareVersion(v, high) <= 0
}

// parseVersion returns the numbers of a version, such as 1.24.3 or v2.0-rc1. A letter v in front,
// and what follows a - or +, do not count.
func parseVersion(s string) (numbers []uint64, ok bool) {
	s = strings.TrimPrefix(s, "v")
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		s = s[:i]
	}
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}

// compareVersion compares as many numbers as limit has: -1 if v is below it, 1 if it is above.
func compareVersion(v, limit []uint64) int {
	for i, l := range limit {
		n := uint64(0)
		if i < len(v) {
			n = v[i]
		}
		switch {
		case n < l:
			return -1
		case n > l:
			return 1
		}
	}
	return 0
}

// maxAppText is how many bytes a name or version may have, far below what fits into a hello.
const maxAppText = 256

func (o *Options) app() (name, version string) {
	if o == nil {
		return "", ""
	}
	return o.Name, o.Version
}

func (o *Options) needs() Needs {
	if o == nil {
		return Needs{}
	}
	return Needs{o.NeedName, o.MinVersion, o.MaxVersion}
}
