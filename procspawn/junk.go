package procspawn

import (
	"fmt"
	"io"
	"strings"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// maxJunk is how many bytes may come before a hello where programs that we do not know print, too:
// the start-up files of a remote shell, for instance. All of it is kept.
const maxJunk = capture.TailSize

// skipJunk reads up to the end of a hello's magic, and not a byte further. What comes before goes
// to junk.
func skipJunk(r io.Reader, junk *capture.Tail) error {
	var buf [len(helloMagic)]byte // what may be the beginning of the magic
	n, skipped, idle := 0, 0, 0   // bytes in buf, bytes in junk, empty reads in a row
	for {
		m, err := r.Read(buf[n:]) // as much of the magic at least is still to come
		n += m
		i := 0
		for !strings.HasPrefix(helloMagic, string(buf[i:n])) {
			i++
		}
		junk.Add(buf[:i])
		skipped += i
		n = copy(buf[:], buf[i:n])
		if n == len(buf) {
			return nil
		}
		if skipped > maxJunk {
			return fmt.Errorf("no hello within the first %d bytes from the other side", maxJunk)
		}
		if err != nil {
			if n > 0 {
				return fmt.Errorf("hello ends after %d of the %d bytes of its head: %w", n, helloHead, cutShort(err))
			}
			return err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return io.ErrNoProgress
		}
	}
}
