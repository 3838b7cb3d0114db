package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/rpctest"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The test binary is the program, too: as what a test starts, and as the child of that.
func TestMain(m *testing.M) {
	if rpcpipe.IsChild() || os.Getenv("UI_TEST") == "program" {
		main()
		return
	}
	// With the race detector a program sleeps for 1 s when it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// whole is all there is to see.
func whole(t *testing.T, b *Board) string {
	v, _, _ := b.since(0)
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// await waits until what is to be seen is so.
func await(t *testing.T, b *Board, so func(View) bool) View {
	for ctx := rpctest.Soon(t); ; {
		v, _, changed := b.since(0)
		if so(v) {
			return v
		}
		select {
		case <-changed:
		case <-ctx.Done():
			require.Fail(t, "it does not come to that", "%s", whole(t, b))
		}
	}
}

// TestCopy: a copy that is brought up to date now and then is as the board is.
func TestCopy(t *testing.T) {
	var board, copied Board
	chance := rand.New(rand.NewPCG(1, 2))
	board.merge(View{Folder: "f", Files: []File{{N: 0, Name: "a"}, {N: 1, Name: "b"}, {N: 2, Name: "c"}}})
	looks, version := 0, 0
	for i := range 3000 {
		switch chance.IntN(10) {
		case 0:
			board.restart()
		case 1, 2:
			fmt.Fprintln(&board, "line", i)
		case 3:
			var news View
			news, version, _ = board.since(version)
			copied.merge(news)
			require.JSONEq(t, whole(t, &board), whole(t, &copied))
			looks++
		default:
			board.file(chance.IntN(3), func(f *File) { f.Done++ })
		}
	}
	require.Greater(t, looks, 200)
	require.Len(t, copied.view.Lines, 200)
}

// TestWhoMayPress: the page is for whoever has its address, and for nobody else; buttons reach the job,
// and what it refuses is said.
func TestWhoMayPress(t *testing.T) {
	rpctest.NoneLeft(t)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a"), make([]byte, 1<<20), 0o600))
	job, err := NewJob(t.Context(), folder, 1<<40) // it never gets to the end
	require.NoError(t, err)
	page := new(Page)
	logic, ui := rpc.NewServer(), rpc.NewServer()
	require.NoError(t, logic.Register(job))
	require.NoError(t, ui.Register(page))
	parent, child := rpcpipe.Pair(&rpcpipe.Options{Server: logic}, &rpcpipe.Options{Server: ui})
	t.Cleanup(func() {
		job.Cancel(struct{}{}, nil)
		job.runs.Wait()
		page.end()
		parent.Close()
		parent.Wait()
		child.Wait()
	})
	place := Place{Addr: "127.0.0.1:0", Token: "secret"}
	require.NoError(t, parent.CallContext(rpctest.Soon(t), "Page.Serve", place, &place.Addr))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequestWithContext(rpctest.Soon(t), method, "http://"+place.Addr+path, nil)
		require.NoError(t, err)
		if change != nil {
			change(r)
		}
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	asks := func(method, path string, change func(*http.Request)) int {
		status, _ := ask(method, path, change)
		return status
	}
	rebound := func(r *http.Request) { r.Host = "attacker.example" + place.Addr[strings.Index(place.Addr, ":"):] }
	otherSite := func(r *http.Request) { r.Header.Set("Origin", "http://attacker.example") }

	for _, path := range []string{"/", "/index.html", "/start", "/wrong/", "/wrong/events", "/secretly/", "/secret/../"} {
		assert.Equal(t, 403, asks("GET", path, nil), path)
		assert.Equal(t, 403, asks("POST", path, nil), path)
	}
	assert.Equal(t, 403, asks("GET", "/secret/", rebound))
	assert.Equal(t, 403, asks("POST", "/secret/start", rebound))
	assert.Equal(t, 403, asks("POST", "/secret/start", otherSite))
	assert.Equal(t, 404, asks("GET", "/secret/start", nil)) // as an image of another page
	assert.Equal(t, 404, asks("POST", "/secret/shout", nil))
	require.Empty(t, job.board.view.Phase, "somebody has pressed a button")

	status, text := ask("GET", "/secret/", nil)
	assert.Equal(t, 200, status)
	assert.Contains(t, text, "<!doctype html>")
	assert.Equal(t, 200, asks("GET", "/secret/script.js", nil))
	for _, press := range []struct{ action, refused, phase string }{
		{"pause", "it is not running", ""},
		{"start", "", "running"},
		{"start", "it has been started", "running"},
		{"resume", "it is not paused", "running"},
		{"pause", "", "paused"},
		{"resume", "", "running"},
		{"cancel", "", "cancelled"},
		{"cancel", "it is not running", "cancelled"},
		{"start", "", "running"},
	} {
		status, text := ask("POST", "/secret/"+press.action, nil)
		if press.refused == "" {
			assert.Equal(t, 200, status, press.action)
		} else {
			assert.Equal(t, 409, status, press.action)
			assert.Equal(t, press.refused+"\n", text)
		}
		await(t, job.board, func(v View) bool { return v.Phase == press.phase })
	}
}

// TestFiles: sums, files that cannot be read, and folders that are none.
func TestFiles(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "b"), 0o700))
	for _, name := range []string{"a", "b/c", "gone"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("abc"), 0o600))
	}
	job, err := NewJob(t.Context(), folder, 0)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(folder, "gone")))
	require.NoError(t, job.Start(struct{}{}, nil))
	v := await(t, job.board, func(v View) bool { return v.Phase == "done" })
	require.Len(t, v.Files, 3)
	assert.Equal(t, int64(9), v.Total)
	assert.Equal(t, int64(6), v.Done)
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	assert.Equal(t, abc, v.Files[0].Sum)
	assert.Equal(t, "b/c", v.Files[1].Name)
	assert.Equal(t, abc, v.Files[1].Sum)
	assert.Contains(t, v.Files[2].Error, "open gone: ")

	_, err = NewJob(t.Context(), filepath.Join(folder, "none"), 0)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, filepath.Join(folder, "none")+": ")
	_, err = NewJob(t.Context(), filepath.Join(folder, "a"), 0)
	assert.ErrorContains(t, err, filepath.Join(folder, "a")+": ")
}
