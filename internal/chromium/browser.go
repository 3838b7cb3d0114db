// Package chromium drives a browser in tests: pages are opened, looked at, and used by mouse and
// keyboard. It needs the program chromium, and nothing else.
package chromium

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Browser is a Chromium without a window, with one page. It is spoken to by its own protocol, JSON with
// zeros between on two pipes. It is for one goroutine, that of the test: what goes wrong ends the test.
type Browser struct {
	t       *testing.T
	out     *os.File
	in      *bufio.Reader
	n       int
	session string
}

// New starts a Browser, which ends with the test. Where there is none the test is skipped, or fails if
// VIADUCT_MUST_RUN is set.
func New(t *testing.T) *Browser {
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
	b := &Browser{t: t, out: out, in: bufio.NewReader(in)}
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
	b.Do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.Do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	b.Do("Page.enable", nil, nil)
	return b
}

// Loaded is the event that a page has been loaded.
const Loaded = "Page.loadEventFired"

// event is what the browser says.
type event struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (b *Browser) next() (e event) {
	b.t.Helper()
	text, err := b.in.ReadBytes(0)
	require.NoError(b.t, err, "of chromium")
	require.NoError(b.t, json.Unmarshal(text[:len(text)-1], &e))
	return e
}

// Next waits for the next event of that name.
func (b *Browser) Next(name string) {
	b.t.Helper()
	for b.next().Method != name {
	}
}

// Do asks for something, and waits for until to happen behind it, if that is given.
func (b *Browser) Do(method string, params any, result any, until ...string) {
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
