package model

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	deep  = flag.Bool("model.deep", false, "search with more room, and walk for longer")
	seed  = flag.Uint64("model.seed", 0, "take this walk alone")
	walks = flag.Int("model.walks", 5000, "how many walks TestWalks takes")
)

// stateLimit is how many states of a scenario are visited at most. With the race
// detector, which has nothing to find here, it leaves the largest unfinished.
func stateLimit() int {
	if raceEnabled {
		return 20_000
	}
	return 5_000_000
}

func TestScenarios(t *testing.T) {
	var seen happened
	ran, states := 0, 0
	list := slices.Concat(messages, mutual(1, 2), mutual(2, 1), streams, shutdowns())
	if *deep {
		list = slices.Concat(list, roomy(list), mutual(2, 3), mutual(3, 2), shutDown(mutual(1, 2)))
	}
	for _, sc := range list {
		t.Run(sc.name, func(t *testing.T) {
			f := explore(newModel(sc, unbroken), stateLimit())
			t.Logf("%d states", f.states)
			require.Empty(t, f.fault, f)
			require.True(t, f.whole || raceEnabled, "not searched whole")
			seen.add(f.seen)
			states += f.states
			ran++
		})
	}
	t.Logf("%d states in all", states)
	if ran == len(list) {
		require.Empty(t, seen.missing(), "never happens")
	}
}

// roomy is list with longer pipes and larger windows.
func roomy(list []scenario) []scenario {
	list = slices.Clone(list)
	for i := range list {
		list[i].name += ", with more room"
		list[i].pipe, list[i].window = 3, list[i].window+2
	}
	return list
}

func TestWalks(t *testing.T) {
	first, n := uint64(time.Now().UnixNano()), *walks
	switch {
	case *seed != 0:
		first, n = *seed, 1
	case *deep:
		n = 2_000_000
	case raceEnabled:
		n = 2000
	}
	steps := 0
	for i := range uint64(n) {
		rnd := rand.New(rand.NewPCG(first+i, 0))
		sc := randomScenario(rnd)
		f := walk(newModel(sc, unbroken), rnd)
		require.Empty(t, f.fault, "-model.seed %d: %+v\n%v", first+i, sc, f)
		steps += f.states
	}
	t.Logf("%d walks from seed %d on, %d steps", n, first, steps)
}
