package procspawn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// The hello as PROTOCOL.md describes it: magic, range of versions, length of the map, map.
const (
	helloMagic    = "\xf1VIADUCT"
	helloHead     = len(helloMagic) + 2 + 2 + 4
	helloMaxMap   = 16 << 10 // bytes; checked before memory is taken
	helloMaxDepth = 8        // levels of nesting, the map and unknown values included
	nonceSize     = 16

	minVersion = 1 // protocol versions that this package speaks
	maxVersion = 1
)

// Hello is what one side says about itself before anything else.
type Hello struct {
	MinVersion, MaxVersion int      // versions of the protocol that it speaks
	Pid                    int      // its process
	Lang                   string   // the language it is written in: "go"
	Name, AppVersion       string   // of the application: Options.Name and Version
	Needs                  Needs    // what it asks of the other side's application
	MaxMessage             uint64   // the largest message it accepts, in bytes
	Encoding               string   // of arguments and replies; both sides must have the same
	Bodies                 []string // formats of arguments and replies that it can read
	Features               []string // what else it understands: see docs/PROTOCOL.md
	WordBits               int      // of its int: 32 or 64
	BigEndian              bool     // its byte order

	nonce [nonceSize]byte // random, so that an echo of our own hello is noticed
}

// newHello returns this side's hello.
func newHello(opts *Options) Hello {
	name, version := opts.app()
	h := Hello{
		Name:       name,
		AppVersion: version,
		MinVersion: minVersion,
		MaxVersion: maxVersion,
		Pid:        os.Getpid(),
		Lang:       opts.lang(),
		MaxMessage: uint64(opts.maxMessage()),
		Encoding:   opts.encoding(),
		Bodies:     opts.bodies(),
		Features:   opts.features(),
		Needs:      opts.needs(),
		WordBits:   math.MaxUint>>63*32 + 32,
		BigEndian:  binary.NativeEndian.Uint16([]byte{0, 1}) == 1,
	}
	// Not a secret: it need only differ from every other one.
	binary.LittleEndian.PutUint64(h.nonce[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(h.nonce[8:], rand.Uint64())
	return h
}

// append appends h in its wire form to b.
func (h *Hello) append(b []byte) []byte {
	start := len(b)
	b = append(b, helloMagic...)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.MinVersion))
	b = binary.LittleEndian.AppendUint16(b, uint16(h.MaxVersion))
	b = binary.LittleEndian.AppendUint32(b, 0) // the length, once it is known
	order := "little"
	if h.BigEndian {
		order = "big"
	}
	n := 10
	encoding, needs := h.Encoding != defaultEncoding, h.Needs != Needs{}
	if encoding {
		n++
	}
	if needs {
		n++
	}
	b = mpack.AppendMap(b, n)
	if encoding {
		b = mpack.AppendString(mpack.AppendString(b, "encoding"), h.Encoding)
	}
	if needs {
		b = appendStrings(mpack.AppendString(b, "needs"), []string{h.Needs.Name, h.Needs.MinVersion, h.Needs.MaxVersion})
	}
	b = mpack.AppendUint(mpack.AppendString(b, "pid"), uint64(h.Pid))
	b = mpack.AppendString(mpack.AppendString(b, "lang"), h.Lang)
	b = mpack.AppendString(mpack.AppendString(b, "name"), h.Name)
	b = mpack.AppendString(mpack.AppendString(b, "version"), h.AppVersion)
	b = mpack.AppendUint(mpack.AppendString(b, "max_message"), h.MaxMessage)
	b = appendStrings(mpack.AppendString(b, "bodies"), h.Bodies)
	b = appendStrings(mpack.AppendString(b, "features"), h.Features)
	b = mpack.AppendUint(mpack.AppendString(b, "word"), uint64(h.WordBits))
	b = mpack.AppendString(mpack.AppendString(b, "order"), order)
	b = mpack.AppendBin(mpack.AppendString(b, "nonce"), h.nonce[:])
	binary.LittleEndian.PutUint32(b[start+helloHead-4:], uint32(len(b)-start-helloHead))
	return b
}

func appendStrings(b []byte, list []string) []byte {
	b = mpack.AppendArray(b, len(list))
	for _, s := range list {
		b = mpack.AppendString(b, s)
	}
	return b
}

// readHello reads one hello and not a byte more. If the other side speaks none of our versions, it
// returns those that it speaks with a *VersionError, and does not look into the map, which may have
// changed. If junk is not nil, bytes that are no hello may come before, and go there.
func readHello(r io.Reader, junk *capture.Tail) (Hello, error) {
	var head [helloHead]byte
	n := 0
	if junk != nil {
		if err := skipJunk(r, junk); err != nil {
			return Hello{}, err
		}
		n = copy(head[:], helloMagic)
	}
	if err := readHead(r, head[:], n); err != nil {
		return Hello{}, err
	}
	le := binary.LittleEndian
	h := Hello{MinVersion: int(le.Uint16(head[8:])), MaxVersion: int(le.Uint16(head[10:]))}
	if h.MinVersion > h.MaxVersion {
		return Hello{}, fmt.Errorf("hello names protocol versions from %d to %d: the first may not be above the last", h.MinVersion, h.MaxVersion)
	}
	size := le.Uint32(head[12:])
	_, verr := chooseVersion(h)
	if size > helloMaxMap {
		if verr != nil {
			return h, verr
		}
		return Hello{}, fmt.Errorf("hello announces a map of %d bytes, the limit is %d", size, helloMaxMap)
	}
	// The map of a side that is refused is read all the same: closing a socket with unread bytes
	// can take our own hello away from it.
	body := make([]byte, size)
	if n, err := io.ReadFull(r, body); err != nil {
		return Hello{}, fmt.Errorf("hello ends after %d of the %d bytes of its map: %w", n, size, cutShort(err))
	}
	if verr != nil {
		return h, verr
	}
	if err := h.parse(body); err != nil {
		return Hello{}, fmt.Errorf("hello is damaged: %w", err)
	}
	return h, nil
}

// readHead fills head, of which n bytes are there already. It fails at the first byte that no hello
// has there: a program that says something else may well say less than a head.
func readHead(r io.Reader, head []byte, n int) error {
	idle := 0
	for n < len(head) {
		m, err := r.Read(head[n:])
		n += m
		if k := min(n, len(helloMagic)); string(head[:k]) != helloMagic[:k] {
			return &MagicError{Found: append([]byte(nil), head[:n]...)}
		}
		switch {
		case n == len(head):
			return nil
		case err != nil && n > 0:
			return fmt.Errorf("hello ends after %d of the %d bytes of its head: %w", n, len(head), cutShort(err))
		case err != nil:
			return err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}

// cutShort turns the end of a connection into an end that came too early.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parse reads the map of a hello into h.
func (h *Hello) parse(b []byte) error {
	if err := mpack.Check(b, helloMaxDepth); err != nil {
		return err
	}
	h.Encoding = defaultEncoding
	seen := make(map[string]bool, 10)
	_, err := mpack.EachPair(b, helloMaxDepth, func(key, value []byte) error {
		k := string(key)
		if seen[k] {
			return fmt.Errorf("key %q stands in the map twice", k)
		}
		seen[k] = true
		if err := h.set(k, value); err != nil {
			return fmt.Errorf("key %q: %w", k, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range []string{"max_message", "nonce"} {
		if !seen[k] {
			return fmt.Errorf("key %q is missing", k)
		}
	}
	return nil
}

// set reads the value of key. What a later peer adds is passed over: see PROTOCOL.md.
func (h *Hello) set(key string, b []byte) (err error) {
	switch key {
	case "pid":
		h.Pid, err = readInt(b)
	case "lang":
		h.Lang, err = readText(b)
	case "name":
		h.Name, err = readText(b)
	case "version":
		h.AppVersion, err = readText(b)
	case "max_message":
		h.MaxMessage, _, err = mpack.ReadUint(b)
		if err == nil && h.MaxMessage == 0 {
			err = errors.New("is 0, the size of the largest message accepted was expected")
		}
	case "encoding":
		if h.Encoding, err = readText(b); err == nil {
			err = checkEncoding(h.Encoding)
		}
	case "bodies":
		h.Bodies, err = readStrings(b)
	case "features":
		h.Features, err = readStrings(b)
	case "needs":
		h.Needs, err = readNeeds(b)
	case "word":
		h.WordBits, err = readInt(b)
	case "order":
		var order string
		order, err = readText(b)
		h.BigEndian = order == "big"
		if err == nil && order != "big" && order != "little" {
			err = fmt.Errorf(`is %q, "little" or "big" was expected`, order)
		}
	case "nonce":
		var nonce []byte
		nonce, _, err = mpack.ReadBin(b)
		if err == nil && len(nonce) != nonceSize {
			err = fmt.Errorf("has %d bytes, %d were expected", len(nonce), nonceSize)
		}
		copy(h.nonce[:], nonce)
	}
	return err
}

func readInt(b []byte) (int, error) {
	n, _, err := mpack.ReadUint(b)
	if err == nil && n > math.MaxInt32 {
		err = fmt.Errorf("is %d, %d at most was expected", n, math.MaxInt32)
	}
	return int(n), err
}

// readText reads a str. It is shown to people, so it becomes valid UTF-8.
func readText(b []byte) (string, error) {
	s, _, err := mpack.ReadString(b)
	return strings.ToValidUTF8(string(s), "\uFFFD"), err
}

func readStrings(b []byte) ([]string, error) {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n == 0 {
		return nil, err
	}
	list := make([]string, n) // no more than the bytes of b, which is a whole value
	for i := range list {
		var s []byte
		if s, b, err = mpack.ReadString(b); err != nil {
			return nil, err
		}
		list[i] = strings.ToValidUTF8(string(s), "\uFFFD")
	}
	return list, nil
}

func readNeeds(b []byte) (Needs, error) {
	list, err := readStrings(b)
	if err != nil {
		return Needs{}, err
	}
	if len(list) != 3 {
		return Needs{}, fmt.Errorf("has %d strings, 3 were expected", len(list))
	}
	return Needs{list[0], list[1], list[2]}, nil
}

// chooseVersion returns the version to speak with the sender of h.
func chooseVersion(h Hello) (int, error) {
	v := min(h.MaxVersion, maxVersion)
	if v < max(h.MinVersion, minVersion) {
		return 0, &VersionError{LocalMin: minVersion, LocalMax: maxVersion, RemoteMin: h.MinVersion, RemoteMax: h.MaxVersion}
	}
	return v, nil
}
