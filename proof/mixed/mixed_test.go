package mixed

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// counts is a side of the Report of package peer.
type counts map[string]int64

// TestMixedVersions has all kinds of load, in both directions, between both versions, and each kind of
// end. Two of today's are there to tell a fault of the load from one of the mixture.
func TestMixedVersions(t *testing.T) {
	programs := map[string]string{"today": buildToday(t), "before": buildBefore(t)}
	for _, pair := range [][2]string{{"today", "today"}, {"before", "today"}, {"today", "before"}} {
		for _, end := range []string{"shutdown", "close", "kill"} {
			for _, procs := range []string{"1", "2", "8"} {
				name := fmt.Sprintf("%s starts %s/%s/GOMAXPROCS=%s", pair[0], pair[1], end, procs)
				t.Run(name, func(t *testing.T) {
					runPeers(t, programs[pair[0]], programs[pair[1]], end, procs)
				})
			}
		}
	}
}

func runPeers(t *testing.T, parent, child, end, procs string) {
	seed := strconv.Itoa(rand.IntN(1e6))
	cmd := exec.Command(parent, "-seed", seed, "-for", "500ms", "-end", end, child)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "with seed %s: %s", seed, stderr.Bytes())
	require.Empty(t, stderr.String())
	var report struct{ Parent, Child counts }
	require.NoError(t, json.Unmarshal(out, &report))
	for _, side := range []counts{report.Parent, report.Child} {
		require.Len(t, side, 10)
		for kind, n := range side {
			require.Positive(t, n, kind)
		}
	}
}

// buildToday builds the peer from the library of this checkout.
func buildToday(t *testing.T) string {
	return build(t, ".", "./peer")
}

// buildBefore builds the peer from the earlier library: as a package of its module.
func buildBefore(t *testing.T) string {
	module := t.TempDir()
	unpack(t, "testdata/before.tar.gz", module)
	const dir = "peer"
	require.NoError(t, os.CopyFS(filepath.Join(module, dir), os.DirFS(dir)))
	return build(t, module, "./"+dir)
}

func build(t *testing.T, dir, pkg string) string {
	program := filepath.Join(t.TempDir(), "peer")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", program, pkg)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// unpack unpacks an archive of plain files.
func unpack(t *testing.T, archive, dir string) {
	f, err := os.Open(archive)
	require.NoError(t, err)
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	files := 0
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		require.True(t, filepath.IsLocal(h.Name), h.Name)
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, data, 0o600))
		files++
	}
	require.Greater(t, files, 50)
}
