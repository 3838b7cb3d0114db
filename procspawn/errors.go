package procspawn

import "fmt"

// VersionError reports another side that speaks none of our versions of the protocol.
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

// MagicError reports another side whose first bytes are no hello.
type MagicError struct{ Found []byte }

func (e *MagicError) Error() string {
	return fmt.Sprintf("the first bytes from the other side are %q, a hello beginning with %q was expected: it is no viaduct peer, or something else writes to the link",
		e.Found, helloMagic)
}

// EchoError reports that our own hello came back.
type EchoError struct{}

func (*EchoError) Error() string {
	return "our own hello came back: the connection echoes, or both its ends are the same"
}

// EncodingError reports two sides that encode arguments and replies in different ways: what
// rpcpipe.Options.Encoding says. A program that uses this package alone says "msgpack".
type EncodingError struct{ Local, Remote string }

func (e *EncodingError) Error() string {
	return fmt.Sprintf("the other side encodes arguments and replies as %q, this side as %q: both must have the same encoding", e.Remote, e.Local)
}

const (
	defaultEncoding = "msgpack" // what a hello that names none means
	maxEncoding     = 64        // bytes of a name
)

func checkEncoding(name string) error {
	if name == "" || len(name) > maxEncoding {
		return fmt.Errorf("name of an encoding has %d bytes, 1 to %d were expected", len(name), maxEncoding)
	}
	return nil
}
