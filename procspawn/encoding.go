package procspawn

import "fmt"

const (
	defaultEncoding = "msgpack" // what a hello that names none means
	maxEncoding     = 64        // bytes of a name
)

// EncodingError reports two sides that encode arguments and replies in different ways.
type EncodingError struct{ Local, Remote string }

func (e *EncodingError) Error() string {
	return fmt.Sprintf("the other side encodes arguments and replies as %q, this side as %q: both must have the same encoding", e.Remote, e.Local)
}

func checkEncoding(name string) error {
	if name == "" || len(name) > maxEncoding {
		return fmt.Errorf("name of an encoding has %d bytes, 1 to %d were expected", len(name), maxEncoding)
	}
	return nil
}
