package suite

import (
	"fmt"
	"runtime"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// Why some contenders do not do some work.
const (
	noCalls    = "has one message after another, no calls"
	noEncoding = "has no encoding"
	noNotes    = "has nothing that is not answered"
	asViaduct  = "does it as viaduct does"
	upTo4MiB   = "has messages of up to 4 MiB"
	oneAtATime = "does one call at a time on a connection, and the one that asks the child to call would be it"
	noStream   = "has calls alone on its connection"
	asGob      = "does it as gob does"
	asGRPC     = "does it as grpc does"
	asYamux    = "does it as yamux does"
)

// The modes in which works are done.
var (
	both12   = []string{oneCore, twoCores}
	allModes = []string{oneCore, twoCores, oneProc}
	only2    = []string{twoCores}
	none     []string
)

// allWorks returns all works. The memory is that of so many children.
func allWorks(children int) []Work {
	var list []Work
	list = append(list, smallWorks()...)
	list = append(list, bodyWorks()...)
	list = append(list, wayWorks()...)
	return append(list, processWorks(children)...)
}

// smallWorks are those with small calls.
func smallWorks() []Work {
	list := []Work{{
		Name: "lone", title: "lone small call", modes: both12, quick: both12, do: lone,
		rows: []row{
			{"", " p50", "µs", true, "bare", "lone", quantile(0.5, time.Microsecond)},
			{"-cpu", "", "µs", true, "gob", "cpu", cpuPerCall},
		},
	}}
	for _, callers := range []int{8, 64, 512} {
		w := Work{
			Name: fmt.Sprintf("calls-%d", callers), title: fmt.Sprintf("%d callers", callers),
			modes: allModes, do: calls(callers), without: map[string]string{"bare": noCalls},
			rows: []row{{"", "", "calls/s", false, "gob", "calls", perSecond}},
		}
		if callers == 64 {
			w.quick = both12
			w.rows = append(w.rows, row{"-cpu", "", "µs", true, "gob", "cpu", cpuPerCall})
		}
		list = append(list, w)
	}
	return list
}

// bodyWorks are those with large arguments, or of many parts.
func bodyWorks() []Work {
	var list []Work
	for _, s := range []struct {
		name, title string
		bytes       int
		modes       []string
		quick       []string
		without     map[string]string
	}{
		{"4k", "4 KiB", 4 << 10, only2, only2, nil},
		{"64k", "64 KiB", 64 << 10, only2, only2, nil},
		{"1m", "1 MiB", 1 << 20, both12, none, nil},
		{"16m", "16 MiB", 16 << 20, only2, only2, map[string]string{"ttrpc": upTo4MiB}},
	} {
		list = append(list, Work{
			Name: "echo-" + s.name, title: "echo of " + s.title, modes: s.modes, quick: s.quick, do: echo(s.bytes), without: s.without,
			rows: []row{{"", "", "MiB/s", false, "gob", "bytes", mibPerSecond}},
		})
	}
	return append(list, Work{
		Name: "record", title: "ten fields", modes: both12, quick: []string{oneCore}, do: update,
		without: map[string]string{"bare": noEncoding},
		rows:    []row{{"", " p50", "µs", true, "gob", "values", quantile(0.5, time.Microsecond)}},
	}, Work{
		Name: "floats", title: "100,000 floats", modes: only2, quick: only2, do: floats(100_000),
		without: map[string]string{"bare": noEncoding},
		rows:    []row{{"", " p50", "ms", true, "gob", "values", quantile(0.5, time.Millisecond)}},
	})
}

// wayWorks are those with more than calls in one direction.
func wayWorks() []Work {
	twoWays := map[string]string{"bare": noCalls, "drpc": oneAtATime}
	if child.MaxLinks < 2 {
		twoWays["gob"] = "has one pair of pipes on this system"
	}
	list := []Work{{
		Name: "both", title: "32 callers on either side", modes: only2, quick: only2, do: both(32),
		opts: work.Options{CallBack: true}, without: twoWays,
		note: "Where a connection carries calls one way alone there is a second one: of gob, grpc and ttrpc.",
		rows: []row{{"", "", "calls/s", false, "gob", "ways", perSecond}},
	}, {
		Name: "notify", title: "notifications", modes: only2, quick: only2, do: notify(2000),
		without: map[string]string{"bare": noNotes, "viaduct-client": noNotes, "yamux": asGob, "go-plugin": asGob, "go-plugin-grpc": asGRPC},
		rows:    []row{{"", "", "messages/s", false, "gob", "ways", perSecond}},
		note:    "As notifications viaduct has those of its name. With gob they are calls that nobody waits for one by one, 512 at a time, with the others small messages on a stream.",
	}}
	streams := map[string]string{"viaduct-client": asViaduct, "gob": noStream, "go-plugin": asYamux, "go-plugin-grpc": asGRPC}
	for _, kib := range []int{32, 64} {
		w := Work{
			Name: fmt.Sprintf("stream-%dk", kib), title: fmt.Sprintf("writes of %d KiB", kib), modes: both12, do: pour(8<<20, kib<<10), without: streams,
			rows: []row{{"", "", "MiB/s", false, "bare", "stream", mibPerSecond}},
		}
		if kib == 32 {
			w.quick = only2
		}
		list = append(list, w)
	}
	return append(list, Work{
		Name: "beside", title: "", modes: both12, quick: only2, do: beside(2, 3<<20), slices: 8, without: map[string]string{"bare": noCalls},
		rows: []row{
			{"-p99", "small calls, p99", "ms", true, "grpc", "beside", quantile(0.99, time.Millisecond)},
			{"-bulk", "echoed meanwhile", "MiB/s", false, "grpc", "beside", mibPerSecond},
		},
		note: "One percent of few calls is little: each contender has eight times as long as elsewhere. With yamux the small calls and each of the loops have a stream of their own, with the others one connection, as usual.",
	})
}

// processWorks are those about processes and programs.
func processWorks(children int) []Work {
	without := map[string]string{"viaduct-client": asViaduct}
	memoryRows := []row{{
		"-parent", "in the parent, for each idle child", "KiB", true, "gob", "memory", inKiB(func(s Sample) int64 { return s.Heap }),
	}}
	if runtime.GOOS == "linux" { // where the kernel tells
		memoryRows = append(memoryRows, row{
			"-child", "an idle child", "KiB", true, "gob", "memory", inKiB(func(s Sample) int64 { return s.Anonymous }),
		}, row{
			"-all", fmt.Sprintf("all, with %d children", children), "MiB", true, "gob", "memory", inMiB(func(s Sample) int64 { return s.All }),
		})
	}
	return []Work{{
		Name: "start", title: "child start to first reply", modes: only2, quick: only2, method: starts, without: without,
		rows: []row{{"", "", "ms", true, "bare", "start", quantile(0.5, time.Millisecond)}},
		note: "Start and size are those of minimal programs, each with one contender alone, as go build makes them. The size of an empty program is subtracted.",
	}, {
		Name: "size", title: "binary size added", modes: only2, quick: only2, method: sizes, without: without,
		rows: []row{{"", "", "MiB", true, "gob", "start", inMiB(func(s Sample) int64 { return s.Size })}},
	}, {
		Name: "memory", modes: only2, quick: only2, method: memory, without: without, rows: memoryRows,
		note: "In the parent: heap and stacks in use. An idle child, a minimal program after one call: what is resident and of no file. All: what parent and children have resident, where what they share counts once.",
	}}
}
