package chromium

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"os"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Open opens a page.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.Do("Page.navigate", map[string]any{"url": url}, nil, Loaded)
}

// Eval returns what an expression is, in the page as the reader has it, also if that has no script. It
// waits for a promise.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	b.Do("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true}, &r)
	require.Nil(b.t, r.ExceptionDetails, expression)
	return fmt.Sprint(r.Result.Value)
}

// WaitFor waits until an expression is true, and looks each time that something in the page changes.
// After a minute the test fails.
func (b *Browser) WaitFor(condition string) {
	b.t.Helper()
	text := b.Eval(`new Promise(done => {
		const look = () => { if (` + condition + `) { observer.disconnect(); clearTimeout(timer); done("true"); } };
		const observer = new MutationObserver(look);
		const timer = setTimeout(() => { observer.disconnect(); done(document.body.innerText); }, 60000);
		observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		look();
	})`)
	require.Equal(b.t, "true", text, "the page does not come to %s", condition)
}

// Press presses what a selector finds, by the mouse.
func (b *Browser) Press(selector string, until ...string) {
	b.t.Helper()
	at := b.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect(); return (r.x + r.width / 2) + " " + (r.y + r.height / 2) })()`, selector))
	var x, y float64
	_, err := fmt.Sscan(at, &x, &y)
	require.NoError(b.t, err, "%s is not there", selector)
	params := map[string]any{"type": "mousePressed", "x": x, "y": y, "button": "left", "clickCount": 1}
	b.Do("Input.dispatchMouseEvent", params, nil)
	params["type"] = "mouseReleased"
	b.Do("Input.dispatchMouseEvent", params, nil, until...)
}

// Keys that can be struck.
var keys = map[string]struct {
	code int
	text string
}{"Enter": {13, "\r"}, "Escape": {27, ""}, "Space": {32, " "}, "Tab": {9, ""}}

// Strike strikes a key: Enter, Escape, Space or Tab.
func (b *Browser) Strike(key string, until ...string) {
	b.t.Helper()
	k, ok := keys[key]
	require.True(b.t, ok, "there is no key %s", key)
	name := key
	if key == "Space" {
		name = " "
	}
	down := map[string]any{"type": "keyDown", "key": name, "code": key, "windowsVirtualKeyCode": k.code, "text": k.text}
	b.Do("Input.dispatchKeyEvent", down, nil, until...)
	b.Do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": key, "windowsVirtualKeyCode": k.code}, nil)
}

// Look has the window of a size in pixels, and the page in a scheme, light or dark, and takes a
// picture, which is kept if VIADUCT_PICTURES names a directory. The page must not be wider than the
// window. It returns how bright the picture's corner is, from 0 to 255.
func (b *Browser) Look(name string, width, height int, scheme string) (corner uint32) {
	b.t.Helper()
	b.Do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.Do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	assert.Equal(b.t, "true", b.Eval(`document.documentElement.scrollWidth <= innerWidth`), "%s: it is wider than the window", name)
	var shot struct{ Data string }
	b.Do("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
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
