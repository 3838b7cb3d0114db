package testkit

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TempDir is t.TempDir, but for how it is removed: file by file, as Wine knows no other way.
func TempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "viaduct")
	require.NoError(t, err)
	t.Cleanup(func() {
		var paths []string
		assert.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			paths = append(paths, path)
			return err
		}))
		for _, path := range slices.Backward(paths) {
			assert.NoError(t, os.Remove(path))
		}
	})
	return dir
}
