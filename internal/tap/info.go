package tap

import (
	"fmt"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// The roles of the side that records.
const (
	Parent = "parent" // it has started the other side
	Child  = "child"  // it was started by the other side
	Peer   = "peer"   // neither
)

// Side is what one side has said in its hello.
type Side struct {
	Pid           int
	Name, Version string // of its application
	Lang          string
	Encoding      string
	Bodies        []string
	Features      []string
	MaxMessage    uint64
}

// Info is what is recorded of a link as it begins.
type Info struct {
	Role        string
	Program     string // that was started, without its directory; empty if none was
	Eager       bool   // messages of up to 128 KiB need no grant
	Here, There Side
}

// Bounds of what is read of an Info.
const (
	maxList    = 64
	maxText    = 256
	maxNesting = 4
)

func (i *Info) append(b []byte) []byte {
	b = mpack.AppendMap(b, 5)
	b = mpack.AppendStrings(b, "role", i.Role, "program", short(i.Program), "eager")
	b = mpack.AppendBool(b, i.Eager)
	b = i.Here.append(mpack.AppendString(b, "here"))
	return i.There.append(mpack.AppendString(b, "there"))
}

func (s *Side) append(b []byte) []byte {
	b = mpack.AppendMap(b, 8)
	b = mpack.AppendUint(mpack.AppendString(b, "pid"), uint64(max(s.Pid, 0)))
	b = mpack.AppendStrings(b, "name", short(s.Name), "version", short(s.Version), "lang", short(s.Lang), "encoding", short(s.Encoding))
	b = appendList(mpack.AppendString(b, "bodies"), s.Bodies)
	b = appendList(mpack.AppendString(b, "features"), s.Features)
	return mpack.AppendUint(mpack.AppendString(b, "max_message"), s.MaxMessage)
}

func appendList(b []byte, list []string) []byte {
	list = list[:min(len(list), maxList)]
	b = mpack.AppendArray(b, len(list))
	for _, s := range list {
		b = mpack.AppendString(b, short(s))
	}
	return b
}

// short cuts what is longer than anybody would read, so that a record has room for all.
func short(s string) string { return s[:min(len(s), maxText)] }

// parseInfo reads what append has written. Keys that are not known are passed over, and values that
// are not of their type.
func parseInfo(b []byte) (i Info, err error) {
	_, err = mpack.EachPair(b, maxNesting, func(key, value []byte) error {
		switch string(key) {
		case "role":
			i.Role = text(value)
		case "program":
			i.Program = text(value)
		case "eager":
			h, err := mpack.ReadHead(value)
			i.Eager = err == nil && h.Kind == mpack.Bool && h.Num == 1
		case "here":
			return i.Here.parse(value)
		case "there":
			return i.There.parse(value)
		}
		return nil
	})
	if err == nil && i.Role != Parent && i.Role != Child && i.Role != Peer {
		err = fmt.Errorf("the role %q is none of parent, child and peer", i.Role)
	}
	return i, err
}

func (s *Side) parse(b []byte) error {
	_, err := mpack.EachPair(b, maxNesting, func(key, value []byte) error {
		switch string(key) {
		case "pid":
			s.Pid, _, _ = mpack.ReadInt(value)
		case "name":
			s.Name = text(value)
		case "version":
			s.Version = text(value)
		case "lang":
			s.Lang = text(value)
		case "encoding":
			s.Encoding = text(value)
		case "bodies":
			s.Bodies = mpack.ReadStrings(value, maxList)
		case "features":
			s.Features = mpack.ReadStrings(value, maxList)
		case "max_message":
			s.MaxMessage, _, _ = mpack.ReadUint(value)
		}
		return nil
	})
	return err
}

func text(b []byte) string {
	s, _, _ := mpack.ReadString(b)
	return string(s)
}
