package rpcpipe_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/viaduct-go/viaduct"

const (
	msgpackModule = "github.com/shamaton/msgpack/v2"
	sysModule     = "golang.org/x/sys"
)

const inner = modulePath + "/internal/"

// mayImport says what each package of the library may import besides the standard library: imports
// run down only. For modules, any package of theirs. The order is that of the floors, top first.
var mayImport = map[string][]string{
	modulePath + "/rpcpipe/rpctest": { // for tests of users
		modulePath + "/rpcpipe", modulePath, modulePath + "/duplex", modulePath + "/procspawn", inner + "message", inner + "handles", inner + "mpack", inner + "framesum",
	},
	modulePath + "/rpcpipe": {inner + "tuning",
		modulePath, modulePath + "/duplex", modulePath + "/procspawn", inner + "endpoint",
		inner + "serve", inner + "message", inner + "listing", inner + "fault", inner + "body", inner + "handles", inner + "histogram",
		inner + "tap",
		inner + "tally", inner + "debugpage", inner + "framesum",
	},

	modulePath: {
		inner + "codec", inner + "endpoint", inner + "serve", inner + "message", inner + "body", inner + "fault",
		inner + "gobwire", inner + "handles",
	},
	modulePath + "/duplex": {inner + "capacity", inner + "framesum", inner + "handles", inner + "tuning"},
	modulePath + "/procspawn": {
		inner + "framesum", inner + "handles", inner + "mpack", modulePath + "/procspawn/internal/capture", modulePath + "/procspawn/internal/family",
		modulePath + "/procspawn/internal/limits", modulePath + "/procspawn/internal/memory", modulePath + "/procspawn/internal/pipes",
		modulePath + "/procspawn/internal/sentinel",
	},

	inner + "endpoint":  {inner + "buffer", inner + "tuning", inner + "serve", inner + "tally", inner + "logwire", inner + "message", inner + "link", inner + "body", inner + "fault"},
	inner + "codec":     {inner + "buffer", inner + "serve", inner + "message", inner + "link", inner + "body", inner + "fault"},
	inner + "serve":     {inner + "tally", inner + "buffer", inner + "message", inner + "link", inner + "body", inner + "fault", inner + "tuning"},
	inner + "logwire":   {inner + "message", inner + "link", inner + "fault", inner + "mpack"},
	inner + "message":   {inner + "buffer", inner + "body", inner + "fault", inner + "mpack"},
	inner + "listing":   {inner + "body", inner + "mpack"},
	inner + "link":      {inner + "fault", inner + "handles", inner + "mpack"},
	inner + "body":      {inner + "buffer", inner + "gobwire", inner + "fault", inner + "mpack", msgpackModule},
	inner + "fault":     {},
	inner + "gobwire":   {},
	inner + "mpack":     {},
	inner + "handles":   {},
	inner + "buffer":    {inner + "tuning"},
	inner + "tuning":    {},
	inner + "tally":     {inner + "histogram"},
	inner + "debugpage": {},
	inner + "histogram": {},
	inner + "tap":       {inner + "framesum", inner + "mpack", sysModule},
	inner + "framesum":  {},
	inner + "capacity":  {},

	modulePath + "/procspawn/internal/capture":  {modulePath + "/procspawn/internal/pipes"},
	modulePath + "/procspawn/internal/family":   {sysModule},
	modulePath + "/procspawn/internal/limits":   {modulePath + "/procspawn/internal/memory", sysModule},
	modulePath + "/procspawn/internal/memory":   {sysModule},
	modulePath + "/procspawn/internal/pipes":    {inner + "tuning", sysModule},
	modulePath + "/procspawn/internal/sentinel": {},
	modulePath + "/duplex/model":                {}, // tests only
}

// forTests are packages that only tests import.
var forTests = []string{inner + "testkit", inner + "chromium"}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// listPackages lists the packages of this module, examples excluded, and what
// they depend on, tests excluded, as built for a system.
func listPackages(t *testing.T, goos, goarch string) []listed {
	args := []string{"list", "-deps", "-json=ImportPath,Standard,Imports,Module"}
	all := exec.Command("go", "list", modulePath+"/...")
	all.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	out, err := all.Output()
	require.NoError(t, err)
	for path := range strings.FieldsSeq(string(out)) {
		if !pathWithin(path, modulePath+"/examples") && !slices.Contains(forTests, path) {
			args = append(args, path)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Env, cmd.Stderr = all.Env, os.Stderr
	out, err = cmd.Output()
	require.NoError(t, err)
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if err == io.EOF {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// pathWithin reports whether path is that of a package in dir.
func pathWithin(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// lookAtSources reads the directories of the module. The result of a test is
// cached with the files that the test itself has looked at: what the go
// command, run by it, has looked at is not among them.
func lookAtSources(t *testing.T) {
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	}))
}

func TestImportDirection(t *testing.T) {
	t.Parallel() // beside those that wait
	if _, err := exec.LookPath("go"); err != nil {
		onlyUnix(t, "Wine has no go command")
	}
	lookAtSources(t)
	for _, system := range []string{"linux/amd64", "darwin/arm64", "windows/amd64", "freebsd/amd64", "plan9/amd64", "js/wasm", "wasip1/wasm"} {
		t.Run(system, func(t *testing.T) {
			goos, goarch, _ := strings.Cut(system, "/")
			standard, seen := map[string]bool{"unsafe": true}, map[string]bool{}
			packages := listPackages(t, goos, goarch)
			for _, p := range packages {
				standard[p.ImportPath] = p.Standard || standard[p.ImportPath]
			}
			for _, p := range packages {
				if p.Standard {
					continue
				}
				if p.Module.Path != modulePath {
					assert.Contains(t, []string{msgpackModule, sysModule}, p.Module.Path, "the module of %s, which the library depends on", p.ImportPath)
					continue
				}
				seen[p.ImportPath] = true
				assert.NotContains(t, p.Imports, "expvar", "imported by %s: it puts a handler into every program", p.ImportPath)
				allowed, known := mayImport[p.ImportPath]
				assert.True(t, known, "%s is not in mayImport: say there what it may import", p.ImportPath)
				for _, path := range p.Imports {
					assert.True(t, standard[path] || allows(allowed, path), "%s must not import %s", p.ImportPath, path)
					if p.ImportPath == modulePath+"/procspawn/internal/sentinel" {
						assert.Contains(t, []string{"os", "syscall"}, path, "imported by sentinel: it would be initialised first")
					}
				}
			}
			for path := range mayImport {
				assert.True(t, seen[path], "%s has not been looked at", path)
			}
			for _, path := range forTests {
				assert.False(t, seen[path], "%s is for tests alone", path)
			}
		})
	}
}

func allows(allowed []string, path string) bool {
	for _, a := range allowed {
		if path == a || !pathWithin(a, modulePath) && pathWithin(path, a) {
			return true
		}
	}
	return false
}
