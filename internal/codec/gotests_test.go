package codec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// goTests are the files of Go's own tests, and all that is changed in them: how they
// connect, and the bytes of one request. Where Go has changed such lines, or has
// more of them, the test fails, rather than test gob.
var goTests = []struct {
	dir, file string
	rewrites  []rewrite
}{
	{"rpc", "server_test.go", []rewrite{
		// The tests are in package rpc, which is imported here.
		{1, "import (\n", "import (\n\t. \"net/rpc\"\n\t\"github.com/viaduct-go/viaduct\"\n"},
		{1, "go Accept(l)\n", "go accept(DefaultServer, l)\n"},
		{2, "newServer.Accept(l)\n", "accept(newServer, l)\n"},
		{1, "newServer.ServeConn(c1)\n", "serveConn(newServer, c1)\n"},
		{1, "\tHandleHTTP()\n", "\thandleHTTP(DefaultServer, DefaultRPCPath)\n"},
		{1, `newServer.HandleHTTP(newHttpPath, "/bar")`, "handleHTTP(newServer, newHttpPath)"},
		{3, ` Dial("tcp", `, ` viaduct.Dial("tcp", `},
		{3, ` DialHTTP("tcp", httpServerAddr)`, ` connectHTTP("tcp", httpServerAddr, DefaultRPCPath)`},
		{1, ` DialHTTPPath("tcp", `, ` connectHTTP("tcp", `},
		{2, " := NewClient(", " := viaduct.NewClient("},
		{1, " = ServeRequest(codec)", " = serveRequest(DefaultServer, codec)"},
		{1, " = codec.server.ServeRequest(codec)", " = serveRequest(codec.server, codec)"},
	}},
	{"rpc", "client_test.go", []rewrite{
		{1, "import (\n", "import (\n\t. \"net/rpc\"\n\t\"github.com/viaduct-go/viaduct\"\n"},
		{1, "go Accept(listen)\n", "go accept(DefaultServer, listen)\n"},
		{1, ` Dial("tcp", `, ` viaduct.Dial("tcp", `},
	}},
	{"rpc/jsonrpc", "all_test.go", []rewrite{
		{1, "import (\n", "import (\n\t\"github.com/viaduct-go/viaduct\"\n"},
		{5, "go ServeConn(srv)\n", "go viaduct.ServeConn(srv)\n"},
		{2, "\tServeConn(srv) ", "\tviaduct.ServeConn(srv) "},
		{3, " := NewClient(cli)\n", " := viaduct.NewClient(cli)\n"},
		{1, " := NewServerCodec(", " := viaduct.NewServerCodec("},
		// The one request for which it does not matter how it is written.
		{1, "`{\"method\": \"Arith.Add\", \"id\": \"123\", \"params\": []}`", `"\x94\x00\x7b\xa9Arith.Add\x90"`},
	}},
}

// rewrite replaces old, which occurs just times times, with new.
type rewrite struct {
	times    int
	old, new string
}

// goTestsLeftOut are the tests that cannot pass with any other codec, and why.
var goTestsLeftOut = map[string]string{
	"rpc.TestGobError":               "wants the error text of a gob stream that the server has broken off",
	"jsonrpc.TestServerNoParams":     "writes JSON to the server and reads JSON from it",
	"jsonrpc.TestServerEmptyMessage": "writes JSON to the server and reads JSON from it",
	"jsonrpc.TestServer":             "writes JSON to the server and reads JSON from it",
}

// TestGoOwnTests runs Go's own tests of net/rpc and net/rpc/jsonrpc with this codec.
func TestGoOwnTests(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds net/http")
	}
	source, version := goSource(t)
	module, want := t.TempDir(), make(map[string]bool)
	for _, tt := range goTests {
		name := filepath.Join(source, "net", filepath.FromSlash(tt.dir), tt.file)
		text := readGo(t, name)
		for _, r := range tt.rewrites {
			require.Equal(t, r.times, strings.Count(text, r.old),
				"how often %s of %s has %q: it is not the file that goTests was written for", name, version, r.old)
			text = strings.ReplaceAll(text, r.old, r.new)
		}
		for _, m := range testFunc.FindAllStringSubmatch(text, -1) {
			want[filepath.Base(tt.dir)+"."+m[1]] = true
		}
		writeGo(t, filepath.Join(module, filepath.FromSlash(tt.dir), tt.file), text)
	}
	for name := range goTestsLeftOut {
		require.Contains(t, want, name, "goTestsLeftOut has a test that is not in %s", version)
		delete(want, name)
	}
	writeGo(t, filepath.Join(module, "rpc", "connect.go"), readGo(t, filepath.Join("testdata", "gotests", "connect.go")))
	writeGoMod(t, module)

	passed, output := goTest(t, module)
	for name := range want {
		require.Contains(t, passed, name, "tests that have passed with %s; all that was printed:\n%s", version, output)
	}
	t.Logf("%d tests of %s have passed", len(want), version)
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// goSource returns where Go's sources are, and which Go that is. Without them
// there is nothing to test, which is an error where it would not be noticed.
func goSource(t *testing.T) (dir, version string) {
	missing := t.Skipf
	if os.Getenv("VIADUCT_MUST_RUN") != "" {
		missing = t.Fatalf
	}
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		missing("there is no go command to run Go's own tests with: %v", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	dir, version = filepath.Join(strings.TrimSpace(root), "src"), strings.TrimSpace(version)
	for _, tt := range goTests {
		name := filepath.Join(dir, "net", filepath.FromSlash(tt.dir), tt.file)
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			missing("%s was installed without its own tests: there is no %s", version, name)
		}
	}
	return dir, version
}

func readGo(t *testing.T, name string) string {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func writeGo(t *testing.T, name, text string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
}

// writeGoMod makes dir a module that has this one, as it stands here, and the
// versions that this one asks for, so that nothing has to be downloaded.
func writeGoMod(t *testing.T, dir string) {
	const module = "module github.com/viaduct-go/viaduct"
	here, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	mod := readGo(t, filepath.Join(here, "go.mod"))
	require.Contains(t, mod, module)
	mod = strings.Replace(mod, module, "module gotests", 1)
	mod += "\nrequire github.com/viaduct-go/viaduct v0.0.0\n\nreplace github.com/viaduct-go/viaduct => " + strconv.Quote(here) + "\n"
	writeGo(t, filepath.Join(dir, "go.mod"), mod)
	writeGo(t, filepath.Join(dir, "go.sum"), readGo(t, filepath.Join(here, "go.sum")))
}

// goTest runs the tests of the module in dir, those left out excepted, and
// returns those that have passed and all that was printed.
func goTest(t *testing.T, dir string) (passed map[string]bool, output string) {
	var leftOut []string
	for name := range goTestsLeftOut {
		_, test, _ := strings.Cut(name, ".")
		leftOut = append(leftOut, test)
	}
	args := []string{"test", "-json", "-mod=mod", "-vet=off", "-timeout=1m", "-skip=^(" + strings.Join(leftOut, "|") + ")$",
		"-cpu=1,4",                    // some tests are skipped unless there is one, for others more are better
		"-bench=.", "-benchtime=200x"} // they make many calls at once, and look at the replies
	if words := os.Getenv("VIADUCT_TEST_EXEC"); words != "" {
		args = append(args, "-exec="+words)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", append(args, "./...")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, &stdout, &stderr, 10*time.Second
	cmd.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "GOWORK=off")
	failed := cmd.Run()

	passed = make(map[string]bool)
	var text strings.Builder
	for line := range bytes.Lines(stdout.Bytes()) {
		var event struct{ Action, Package, Test, Output string }
		if err := json.Unmarshal(line, &event); err != nil {
			text.Write(line)
		}
		text.WriteString(event.Output)
		if event.Action == "pass" && event.Test != "" {
			passed[event.Package[strings.LastIndex(event.Package, "/")+1:]+"."+event.Test] = true
		}
	}
	text.Write(stderr.Bytes())
	require.NoError(t, failed, "%v printed:\n%s", cmd, &text)
	return passed, text.String()
}
