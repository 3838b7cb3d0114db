package capture

import "github.com/viaduct-go/viaduct/procspawn/internal/pipes"

// drain empties a stream of the child, whatever becomes of the caller's writer.
type drain struct {
	r    *pipes.Reader
	out  *outlet // nil: the caller has no writer for it
	keep []keeper
	done chan struct{} // closed by run
}

const (
	minDrain = 512      // bytes of the first buffer: most children print little, if anything
	maxDrain = 32 << 10 // of that which follows once the first was full
)

func (d *drain) run() {
	defer close(d.done)
	defer d.r.Close()
	if d.out != nil {
		defer d.out.end()
	}
	buf := make([]byte, minDrain)
	for {
		n, err := d.r.Read(buf)
		for _, k := range d.keep {
			k.Add(buf[:n])
		}
		if n > 0 && d.out != nil {
			d.out.put(buf[:n])
		}
		if err != nil {
			return
		}
		if n == len(buf) && n < maxDrain {
			buf = make([]byte, maxDrain)
		}
	}
}
