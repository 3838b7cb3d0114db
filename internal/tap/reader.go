package tap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Record is what was recorded of one thing. Which of the fields behind Link mean something depends on
// its Kind.
type Record struct {
	Kind Kind
	Out  bool // of a frame: from the side that has recorded
	Link uint32
	At   time.Duration // since Reader.Begin

	Info  Info  // of a KindBegin
	Frame Frame // of a KindFrame

	Lost    uint64        // of a KindLost: records
	Blocked time.Duration // of a KindBlocked
	Unsent  uint64        // of a KindEnd: bytes that are recorded as sent and were not
	Partial uint32        // of a KindEnd: bytes that came of a frame that did not
}

// Frame is a frame as it was recorded.
type Frame struct {
	Kind   uint8
	Length int    // of the payload
	ID     uint32 // of a long message, or a number
	Total  uint64 // of a frame that begins a long message: length of that

	// Of a frame with a message or its beginning: what names it. Named is false if it is no message.
	Name  Name
	Named bool

	// Payload is nil where contents were not recorded, but for numbers that are about streams. It has no
	// Total in front. It is valid until the next record is read.
	Payload []byte
}

// CutError says that a file ends within a record, or within its header.
type CutError struct {
	At      int64 // byte of the file at which the record begins
	Records int   // whole ones, which came before
}

func (e *CutError) Error() string {
	if e.At == 0 {
		return "the file is cut within its first bytes, or it is no tap: at least 24 bytes were expected"
	}
	return fmt.Sprintf("the file is cut: it ends within the record that begins at byte %d; the %d records before that are whole", e.At, e.Records)
}

// DamagedError says that a record is not as it was written.
type DamagedError struct {
	At      int64
	Records int
	Reason  string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the file is damaged: the record that begins at byte %d %s; the %d records before that are whole", e.At, e.Reason, e.Records)
}

// VersionError says that a file is of another version of the format.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the file is a tap of version %d of the format, and this program reads version %d: a viaduct as new as the program that has recorded it was expected", e.Version, version)
}

// NoTapError says that a file is something else.
type NoTapError struct{ Begins []byte }

func (e *NoTapError) Error() string {
	return fmt.Sprintf("the file is no tap: it begins with %q, and %q was expected", e.Begins, magic)
}

// Reader reads what a Recorder has written.
type Reader struct {
	Begin    time.Time
	Contents bool // whole messages were recorded

	src     *bufio.Reader
	at      int64
	records int
	buf     []byte // of maxBody
}

// NewReader reads the header of a file. Its errors are *CutError, *NoTapError, *VersionError,
// *DamagedError, and those of src.
func NewReader(src io.Reader) (*Reader, error) {
	r := &Reader{src: bufio.NewReader(src), buf: make([]byte, maxBody)}
	head := r.buf[:headerSize]
	n, err := io.ReadFull(r.src, head)
	if n > 0 && string(head[:min(n, len(magic))]) != magic[:min(n, len(magic))] {
		return nil, &NoTapError{Begins: append([]byte(nil), head[:min(n, len(magic))]...)}
	}
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return nil, &CutError{}
	case err != nil:
		return nil, err
	}
	le := binary.LittleEndian
	if v := le.Uint16(head[len(magic):]); v != version {
		return nil, &VersionError{Version: int(v)}
	}
	if sum := checksum(head[:headerSize-4], nil); sum != le.Uint32(head[headerSize-4:]) {
		return nil, &DamagedError{Reason: "is the header, and has another checksum"}
	}
	r.Contents = le.Uint16(head[len(magic)+2:])&flagContents != 0
	r.Begin = time.Unix(0, int64(le.Uint64(head[len(magic)+4:])))
	r.at = headerSize
	return r, nil
}

// Next returns the next record. Its error is io.EOF at the end, a *CutError, a *DamagedError, or that
// of the source. A record of a kind that is not known has a Kind that is none of these.
func (r *Reader) Next() (Record, error) {
	var prefix [prefixSize]byte
	if n, err := io.ReadFull(r.src, prefix[:]); err != nil {
		if n == 0 && err == io.EOF {
			return Record{}, io.EOF
		}
		return Record{}, r.cut(err)
	}
	size := binary.LittleEndian.Uint32(prefix[:])
	if size < headSize || size > maxBody {
		return Record{}, r.damaged("says that it has %d bytes, %d to %d were expected", size, headSize, maxBody)
	}
	body := r.buf[:size]
	if _, err := io.ReadFull(r.src, body); err != nil {
		return Record{}, r.cut(err)
	}
	if checksum(prefix[:4], body) != binary.LittleEndian.Uint32(prefix[4:]) {
		return Record{}, r.damaged("has another checksum")
	}
	rec, err := r.parse(body)
	if err != nil {
		return Record{}, err
	}
	r.at += int64(prefixSize + len(body))
	r.records++
	return rec, nil
}

func (r *Reader) cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &CutError{At: r.at, Records: r.records}
	}
	return err
}

func (r *Reader) damaged(format string, args ...any) error {
	return &DamagedError{At: r.at, Records: r.records, Reason: fmt.Sprintf(format, args...)}
}

// parse reads a body, which has headSize bytes at least.
func (r *Reader) parse(body []byte) (rec Record, err error) {
	le := binary.LittleEndian
	at := le.Uint64(body[8:])
	if at > math.MaxInt64 {
		return rec, r.damaged("has a time that cannot be")
	}
	rec = Record{Kind: Kind(body[0]), Out: body[1] == 1, Link: le.Uint32(body[4:]), At: time.Duration(at)}
	rest := body[headSize:]
	least := map[Kind]int{KindFrame: frameHead, KindEnd: 8 + 4, KindBlocked: 8, KindLost: 8}[rec.Kind]
	if len(rest) < least {
		return rec, r.damaged("is of kind %d and has %d bytes behind its head, at least %d were expected", rec.Kind, len(rest), least)
	}
	switch rec.Kind {
	case KindBegin:
		if rec.Info, err = parseInfo(rest); err != nil {
			return rec, r.damaged("is the beginning of a link, and not as it was expected: %v", err)
		}
	case KindFrame:
		rec.Frame, err = r.parseFrame(rest)
	case KindEnd:
		rec.Unsent, rec.Partial = le.Uint64(rest), le.Uint32(rest[8:])
	case KindBlocked:
		rec.Blocked = time.Duration(min(le.Uint64(rest), math.MaxInt64))
	case KindLost:
		rec.Lost = le.Uint64(rest)
	}
	return rec, err
}

func (r *Reader) parseFrame(b []byte) (f Frame, err error) {
	f = Frame{Kind: b[0], Length: int(binary.LittleEndian.Uint16(b[2:])), ID: binary.LittleEndian.Uint32(b[4:])}
	b = b[frameHead:]
	if r.Contents && len(b) != f.Length {
		return f, r.damaged("has %d bytes of a frame's payload of %d", len(b), f.Length)
	}
	isFirst, isWhole := f.Kind&^3 == frameFirst, f.Kind&^3 == frameWhole
	if isFirst {
		if len(b) < firstTotal { // the peer's fault, not the record's
			f.Payload = b
			return f, nil
		}
		f.Total = binary.LittleEndian.Uint64(b)
		b = b[firstTotal:]
	}
	switch {
	case !isFirst && !isWhole, r.Contents:
		f.Payload = b
	}
	if isFirst || isWhole {
		if r.Contents {
			f.Name, f.Named = NameOf(b)
		} else {
			f.Name, f.Named = parseName(b)
		}
	}
	return f, nil
}
