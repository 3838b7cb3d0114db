package debugpage

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a Chromium without a window, with one page. It is spoken to by its own protocol, JSON with
// zeros between on two pipes.
type browser struct {
	t       *testing.T
	out     *os.File
	in      *bufio.Reader
	n       int
	session string
}

func newBrowser(t *testing.T) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("VIADUCT_MUST_RUN") != "" {
			t.Fatal("chromium is not there: install it, as .ci/run does")
		}
		t.Skip("chromium is not there")
	}
	toBrowser, out, err := os.Pipe()
	require.NoError(t, err)
	in, fromBrowser, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	var text bytes.Buffer
	cmd.Stderr = &text
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	toBrowser.Close()
	fromBrowser.Close()
	b := &browser{t: t, out: out, in: bufio.NewReader(in)}
	t.Cleanup(func() {
		fmt.Fprint(out, `{"id":1000000,"method":"Browser.close"}`+"\x00")
		cmd.Wait()
		out.Close()
		in.Close()
		if t.Failed() {
			t.Logf("chromium: %.2000s", text.String())
		}
	})
	var target struct{ TargetID string }
	b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	b.do("Page.enable", nil, nil)
	return b
}

// event is what the browser says.
type event struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (b *browser) next() (e event) {
	b.t.Helper()
	text, err := b.in.ReadBytes(0)
	require.NoError(b.t, err, "of chromium")
	require.NoError(b.t, json.Unmarshal(text[:len(text)-1], &e))
	return e
}

// do asks for something, and waits for until to happen behind it, if that is given.
func (b *browser) do(method string, params any, result any, until ...string) {
	b.t.Helper()
	b.n++
	text, err := json.Marshal(map[string]any{"id": b.n, "method": method, "params": params, "sessionId": b.session})
	require.NoError(b.t, err)
	if b.session == "" {
		text = bytes.Replace(text, []byte(`,"sessionId":""`), nil, 1)
	}
	_, err = b.out.Write(append(text, 0))
	require.NoError(b.t, err)
	answered := false
	for !answered || len(until) > 0 {
		e := b.next()
		switch {
		case e.ID == b.n:
			require.Nil(b.t, e.Error, method)
			answered = true
			if result != nil {
				require.NoError(b.t, json.Unmarshal(e.Result, result))
			}
		case len(until) > 0 && e.Method == until[0]:
			until = until[1:]
		}
	}
}

const loaded = "Page.loadEventFired"

// eval returns what an expression is, in the page as the reader has it: the page itself has no script.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var r struct{ Result struct{ Value any } }
	b.do("Runtime.evaluate", map[string]any{"expression": expression}, &r)
	return fmt.Sprint(r.Result.Value)
}

// press presses what a selector finds, by the mouse.
func (b *browser) press(selector string, until ...string) {
	b.t.Helper()
	at := b.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect(); return (r.x + r.width / 2) + " " + (r.y + r.height / 2) })()`, selector))
	var x, y float64
	_, err := fmt.Sscan(at, &x, &y)
	require.NoError(b.t, err, "%s is not there", selector)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		params := map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
		if kind == "mousePressed" {
			b.do("Input.dispatchMouseEvent", params, nil)
		} else {
			b.do("Input.dispatchMouseEvent", params, nil, until...)
		}
	}
}

// picture takes one, and returns how bright its corner is, from 0 to 255.
func (b *browser) picture(name string) (corner uint32) {
	b.t.Helper()
	var shot struct{ Data string }
	b.do("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	require.NoError(b.t, err)
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(b.t, err)
	if dir := os.Getenv("VIADUCT_PICTURES"); dir != "" { // for whoever wants to look
		require.NoError(b.t, os.WriteFile(dir+"/"+name+".png", data, 0o666))
	}
	red, _, _, _ := img.At(2, 2).RGBA()
	return red >> 8
}

// TestChromium: a browser shows the page, light and dark, wide and narrow; a stuck call is found by its
// age; what can be pressed does what it says, and the page refreshes itself without script.
func TestChromium(t *testing.T) {
	b := newBrowser(t)
	var asked atomic.Int64
	server := httptest.NewServer(Handler(Config{SetHosts: "Hosts", Snapshot: func() *Snapshot {
		s := example()
		s.Goroutines = int(asked.Add(1))
		return s
	}}))
	defer server.Close()
	b.do("Page.navigate", map[string]any{"url": server.URL + "/debug/viaduct/"}, nil, loaded)

	look := func(name string, width, height int, scheme string) uint32 {
		b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
		b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		assert.Equal(t, "true", b.eval(`document.documentElement.scrollWidth <= innerWidth`), "%s: it is wider than the window", name)
		return b.picture(name)
	}
	assert.Greater(t, look("light", 1440, 1300, "light"), uint32(200))
	assert.Less(t, look("dark", 1440, 1300, "dark"), uint32(80))
	look("narrow", 400, 1300, "light")
	look("light", 1440, 1300, "light")
	assert.NotEqual(t, "none", b.eval(`getComputedStyle(document.querySelector(".scroll")).borderRadius`), "the policy has refused the style")
	assert.Equal(t, "10px", b.eval(`getComputedStyle(document.querySelector(".scroll")).borderRadius`))

	// The stuck call comes first, with its age.
	assert.Equal(t, "1 min 15 s | Arith.Stuck | worker[0] | waits for the reply",
		b.eval(`[...document.querySelector("table.calls tbody tr").cells].map(c => c.innerText).join(" | ")`))
	assert.Equal(t, "true", b.eval(`document.querySelector("table.calls tbody tr").className == "old"`))

	// Columns, a peer, a crash.
	b.press("#sort-method", loaded)
	assert.Equal(t, "ascending", b.eval(`document.querySelector("#sort-method").parentElement.getAttribute("aria-sort")`))
	b.press("#sort-method", loaded)
	assert.Equal(t, "descending", b.eval(`document.querySelector("#sort-method").parentElement.getAttribute("aria-sort")`))
	b.press(".peers tbody tr:last-child a", loaded)
	assert.Contains(t, b.eval(`document.querySelector(".filter").innerText`), "bare")
	assert.NotContains(t, b.eval(`document.body.innerText`), "Arith.Stuck")
	b.press("#all", loaded)
	assert.Contains(t, b.eval(`document.body.innerText`), "Arith.Stuck")
	assert.NotContains(t, b.eval(`document.body.innerText`), "goroutine 1 [running]")
	b.press("summary")
	assert.Contains(t, b.eval(`document.body.innerText`), "goroutine 1 [running]")

	// By the keyboard: the first thing that can be reached, and Enter.
	b.eval(`document.querySelector("#refresh1").focus()`)
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
		if kind == "keyUp" {
			b.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Enter", "code": "Enter"}, nil)
			continue
		}
		b.do("Input.dispatchKeyEvent", params, nil, loaded)
	}
	assert.Contains(t, b.eval(`location.search`), "refresh=1")
	before := asked.Load()
	for asked.Load() < before+2 { // it refreshes itself
		for b.next().Method != loaded {
		}
	}
	b.do("Page.navigate", map[string]any{"url": server.URL + "/debug/viaduct/?refresh=10"}, nil, loaded)
	b.press("#pause", loaded)
	assert.Equal(t, "?", b.eval(`location.search || "?"`))
	assert.Equal(t, "0", b.eval(`document.scripts.length`))

	// Another site that has its name mean this machine.
	rebound := strings.Replace(server.URL, "127.0.0.1", "attacker.example", 1)
	r := httptest.NewRequest("GET", rebound+"/", nil)
	w := httptest.NewRecorder()
	server.Config.Handler.ServeHTTP(w, r)
	assert.Equal(t, 403, w.Code)
}
