package procspawn

import "fmt"

// VersionError reports a peer that speaks none of our protocol versions.
type VersionError struct {
	LocalMin, LocalMax   int
	RemoteMin, RemoteMax int
}

func (e *VersionError) Error() string {
	older := "this program"
	if e.RemoteMax < e.LocalMin {
		older = "the other program"
	}
	return fmt.Sprintf("the other side speaks protocol versions %d to %d, this side %d to %d: build %s with a later viaduct",
		e.RemoteMin, e.RemoteMax, e.LocalMin, e.LocalMax, older)
}

// MagicError reports a peer whose first bytes are no hello.
type MagicError struct{ Found []byte }

func (e *MagicError) Error() string {
	return fmt.Sprintf("the first bytes from the other side are %q, a hello beginning with %q was expected: it is no viaduct peer, or something else writes to the link",
		e.Found, helloMagic)
}

// EchoError reports that what came back is our own hello.
type EchoError struct{}

func (*EchoError) Error() string {
	return "our own hello came back: the connection echoes, or both its ends are the same"
}
