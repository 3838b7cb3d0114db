package work

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Write writes total bytes to w by writes of chunk bytes.
func Write(w io.Writer, total, chunk int) error {
	list := NewBytes(chunk)
	for left := total; left > 0; {
		n, err := w.Write(list[:min(left, chunk)])
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// Discard reads total bytes from r and returns how many it was, total unless there is an error.
func Discard(r io.Reader, total int) (int, error) {
	buf := make([]byte, min(total, 64<<10))
	read := 0
	for read < total {
		n, err := r.Read(buf[:min(total-read, len(buf))])
		read += n
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// Pour sends total bytes over a connection at whose other end is Sink.
func Pour(conn io.ReadWriter, total, chunk int) error {
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(total))
	if _, err := conn.Write(head[:]); err != nil {
		return err
	}
	if err := Write(conn, total, chunk); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if n := binary.LittleEndian.Uint64(head[:]); n != uint64(total) {
		return fmt.Errorf("of %d bytes %d have arrived", total, n)
	}
	return nil
}

// Sink reads what Pour sends and answers how much it was, again and again, until the connection
// ends.
func Sink(conn io.ReadWriter) {
	var head [8]byte
	for {
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		n, err := Discard(conn, int(binary.LittleEndian.Uint64(head[:])))
		if err != nil {
			return
		}
		binary.LittleEndian.PutUint64(head[:], uint64(n))
		if _, err := conn.Write(head[:]); err != nil {
			return
		}
	}
}
