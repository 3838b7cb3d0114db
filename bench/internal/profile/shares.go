package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/pprof/profile"
)

// A kind is what processor time goes into. Of a stack the frame nearest to its top that any kind
// has decides.
type kind struct {
	name     string
	prefixes []string // of names of functions
}

const (
	module = "github.com/viaduct-go/viaduct/"
	other  = "all else"
)

var kinds = []kind{
	{"system calls", []string{
		"internal/runtime/syscall/", "syscall.", "golang.org/x/sys/unix.", "runtime.futex", "runtime.usleep", "runtime.osyield",
	}},
	{"memory", []string{
		"runtime.mallocgc", "runtime.gc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.newstack", "runtime.wbBuf",
	}},
	{"scheduler, locks, channels", []string{
		"runtime.mcall", "runtime.mstart", "runtime.chan", "runtime.selectgo", "runtime.selectnb", "runtime.sema",
		"runtime.gopark", "runtime.goready", "runtime.goexit0", "runtime.newproc", "runtime.morestack", "sync.", "internal/sync.",
	}},
	{"clock", []string{"time.Now", "time.Since", "time.runtimeN"}},
	{"values and messages", []string{
		module + "internal/body.", module + "internal/mpack.", module + "internal/message.", module + "internal/codec.",
		"encoding/gob.",
	}},
	{"net/rpc and its call of the method", []string{"net/rpc."}},
	{"calls", []string{module + "internal/endpoint.", module + "internal/serve.", module + "rpcpipe."}},
	{"frames, pipes", []string{module + "duplex.", module + "procspawn", "os.", "internal/poll."}},
	{"the benchmark", []string{module + "bench/", "main."}},
}

// kindOf returns the name of the kind of a stack.
func kindOf(s *profile.Sample) string {
	for _, location := range s.Location { // from the top
		for _, line := range location.Line {
			for _, k := range kinds {
				if slices.ContainsFunc(k.prefixes, func(p string) bool { return strings.HasPrefix(line.Function.Name, p) }) {
					return k.name
				}
			}
		}
	}
	return other
}

// shares returns the nanoseconds that a file has for each kind.
func shares(file string) (map[string]int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	list := map[string]int64{}
	for _, s := range p.Sample {
		list[kindOf(s)] += s.Value[len(s.Value)-1]
	}
	return list, nil
}

// Text writes what the time of both processes goes into, as shares of what they use together, for
// each pair of files in the directory.
func Text(w io.Writer, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.parent.pprof"))
	if err != nil {
		return err
	}
	for _, file := range files {
		parent, err := shares(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(file, ".parent.pprof")
		child, err := shares(name + ".child.pprof")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := table(w, filepath.Base(name), parent, child); err != nil {
			return err
		}
	}
	return nil
}

func table(w io.Writer, name string, parent, child map[string]int64) error {
	var all int64
	for _, process := range []map[string]int64{parent, child} {
		for _, n := range process {
			all += n
		}
	}
	if all == 0 {
		return nil // it was too short for a single sample
	}
	fmt.Fprintf(w, "\n%s: processor time, %% of both processes'\n", name)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "\tparent\tchild\t")
	share := func(process map[string]int64, kind string) string {
		if process == nil {
			return "?" // the child was killed
		}
		return fmt.Sprintf("%.1f", 100*float64(process[kind])/float64(all))
	}
	for _, k := range append(kinds, kind{name: other}) {
		fmt.Fprintf(columns, "%s\t%s\t%s\t\n", k.name, share(parent, k.name), share(child, k.name))
	}
	return columns.Flush()
}
