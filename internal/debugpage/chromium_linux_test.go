package debugpage

import (
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/viaduct-go/viaduct/internal/chromium"
)

// TestChromium: a browser shows the page, light and dark, wide and narrow; a stuck call is found by its
// age; what can be pressed does what it says, and the page refreshes itself without script.
func TestChromium(t *testing.T) {
	b := chromium.New(t)
	var asked atomic.Int64
	server := httptest.NewServer(Handler(Config{SetHosts: "Hosts", Snapshot: func() *Snapshot {
		s := example()
		s.Goroutines = int(asked.Add(1))
		return s
	}}))
	defer server.Close()
	b.Open(server.URL + "/debug/viaduct/")

	assert.Greater(t, b.Look("light", 1440, 1300, "light"), uint32(200))
	assert.Less(t, b.Look("dark", 1440, 1300, "dark"), uint32(80))
	b.Look("narrow", 400, 1300, "light")
	b.Look("light", 1440, 1300, "light")
	assert.NotEqual(t, "none", b.Eval(`getComputedStyle(document.querySelector(".scroll")).borderRadius`), "the policy has refused the style")
	assert.Equal(t, "10px", b.Eval(`getComputedStyle(document.querySelector(".scroll")).borderRadius`))

	// The stuck call comes first, with its age.
	assert.Equal(t, "1 min 15 s | Arith.Stuck | worker[0] | waits for the reply",
		b.Eval(`[...document.querySelector("table.calls tbody tr").cells].map(c => c.innerText).join(" | ")`))
	assert.Equal(t, "true", b.Eval(`document.querySelector("table.calls tbody tr").className == "old"`))

	// Columns, a peer, a crash.
	b.Press("#sort-method", chromium.Loaded)
	assert.Equal(t, "ascending", b.Eval(`document.querySelector("#sort-method").parentElement.getAttribute("aria-sort")`))
	b.Press("#sort-method", chromium.Loaded)
	assert.Equal(t, "descending", b.Eval(`document.querySelector("#sort-method").parentElement.getAttribute("aria-sort")`))
	b.Press(".peers tbody tr:last-child a", chromium.Loaded)
	assert.Contains(t, b.Eval(`document.querySelector(".filter").innerText`), "bare")
	assert.NotContains(t, b.Eval(`document.body.innerText`), "Arith.Stuck")
	b.Press("#all", chromium.Loaded)
	assert.Contains(t, b.Eval(`document.body.innerText`), "Arith.Stuck")
	assert.NotContains(t, b.Eval(`document.body.innerText`), "goroutine 1 [running]")
	b.Press("summary")
	assert.Contains(t, b.Eval(`document.body.innerText`), "goroutine 1 [running]")

	// By the keyboard: the first thing that can be reached, and Enter.
	b.Eval(`document.querySelector("#refresh1").focus()`)
	b.Strike("Enter", chromium.Loaded)
	assert.Contains(t, b.Eval(`location.search`), "refresh=1")
	before := asked.Load()
	for asked.Load() == before { // it refreshes itself
		b.Next(chromium.Loaded)
	}
	b.Open(server.URL + "/debug/viaduct/?refresh=10")
	b.Press("#pause", chromium.Loaded)
	assert.Equal(t, "?", b.Eval(`location.search || "?"`))
	assert.Equal(t, "0", b.Eval(`document.scripts.length`))

	// Another site that has its name mean this machine.
	rebound := strings.Replace(server.URL, "127.0.0.1", "attacker.example", 1)
	r := httptest.NewRequest("GET", rebound+"/", nil)
	w := httptest.NewRecorder()
	server.Config.Handler.ServeHTTP(w, r)
	assert.Equal(t, 403, w.Code)
}
