package suite

import (
	"fmt"

	"github.com/viaduct-go/viaduct/bench/internal/affinity"
)

// Mode says on which processors both processes run.
type Mode struct {
	Name  string // the end of the names of its rows
	Title string
	CPUs  []int // to which they are pinned; none: not pinned
	Procs int   // GOMAXPROCS of both; 0: as many as there are processors
}

// The names of the modes.
const (
	oneCore  = "1core"
	twoCores = "2cores"
	oneProc  = "1proc"
	notTied  = "all" // in place of twoCores where nothing can be pinned
)

// Modes returns the modes that this machine has, and what to say of those that it has not.
func Modes(cpus int) (modes []Mode, missing []string) {
	if !affinity.Supported {
		title := fmt.Sprintf("%d processors, not pinned", cpus)
		return []Mode{{Name: notTied, Title: title}, {Name: oneProc, Title: title + ", GOMAXPROCS=1", Procs: 1}},
			[]string{"Nothing can be pinned to processors on this system: the rows for one core and for two are left out."}
	}
	picked, err := affinity.Pick(2)
	if err != nil {
		return nil, []string{fmt.Sprintf("The processors of this process are not known: %v.", err)}
	}
	modes = []Mode{{Name: oneCore, Title: "one core", CPUs: picked[:1]}}
	if len(picked) < 2 {
		return modes, []string{"This process may use one processor alone: the rows for two cores are left out."}
	}
	return append(modes, Mode{Name: twoCores, Title: "two cores", CPUs: picked},
		Mode{Name: oneProc, Title: "two cores, GOMAXPROCS=1", CPUs: picked, Procs: 1}), nil
}
