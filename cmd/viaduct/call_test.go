package main

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

func TestCall(t *testing.T) {
	const all = `{"I8":-128,"U64":18446744073709551615,"F":0.5,"S":"ä","Bytes":"aGk=","At":"2024-01-02T03:04:05.000000006Z","For":"1m0.5s",` +
		`"ByN":{"-3":"x"},"List":[{"A":1,"B":2147483647}],"Next":null,"Any":{"$ext":[5,"AQ=="]}}`
	for _, tt := range []struct {
		args []string
		out  string
	}{
		{[]string{"Arith.Add", `{"A":1,"B":2}`}, "3\n"},
		{[]string{"Arith.Add", `{"B":-2}`}, "-2\n"},
		{[]string{"Arith.Add"}, "0\n"},
		{[]string{"Arith.Echo", all}, all + "\n"},
		{[]string{"Arith.Kind", `"aGk="`}, `"string"` + "\n"},
		{[]string{"Arith.Kind", `{"$bin":"aGk="}`}, `"[]uint8"` + "\n"},
		{[]string{"Arith.Kind", `{"$time":"2024-01-02T03:04:05Z"}`}, `"time.Time"` + "\n"},
		{[]string{"Arith.Kind", "-5"}, `"int"` + "\n"},
		{[]string{"Arith.Kind", "-untyped", "-5.5"}, `"float64"` + "\n"},
		{[]string{"-untyped", "Arith.Kind", `{"$map":[[1,2]]}`}, `"map[interface {}]interface {}"` + "\n"},
		{[]string{"-untyped", "Arith.Echo", `{"Bytes":{"$bin":"aGk="},"For":5}`},
			`{"I8":0,"U64":0,"F":0.0,"S":"","Bytes":{"$bin":"aGk="},"At":{"$time":"0001-01-01T00:00:00Z"},"For":5,"ByN":null,"List":null,"Next":null,"Any":null}` + "\n"},
		{[]string{"Arith.Shape"}, `{"Sides":3}` + "\n"}, // without Go's name for it
		{[]string{"-meta", "user=ada", "-meta=k=v=w", "Arith.Meta"}, `{"k":"v=w","user":"ada"}` + "\n"},
		{[]string{"-timeout", "1m", "Arith.Add", `{"A":1}`}, "1\n"},
		{[]string{"-oneway", "Arith.Add", `{"A":1}`}, ""},
	} {
		r := with(t, "arith", append([]string{"call"}, tt.args...)...)
		if strings.Contains(r.out, `"user"`) { // maps have no order
			r.out = strings.Replace(r.out, `{"user":"ada","k":"v=w"}`, `{"k":"v=w","user":"ada"}`, 1)
		}
		r.want(t, 0, tt.out)
	}
	viaductIn(t, ` {"A":20, "B":22} `, append([]string{"call", "Arith.Add", "-"}, self("arith")...)...).want(t, 0, "42\n")
	with(t, "arith", "call", "Arith.Say", `"hello"`).want(t, 0, "{}\n", "said: hello\non stdout\n")
	with(t, "arith", "call", "-oneway", "Arith.Say", `"hello"`).want(t, 0, "", "said: hello\n")
}

// TestCallUnlisted: without types plain values are sent, and that is said.
func TestCallUnlisted(t *testing.T) {
	with(t, "unlisted", "call", "Arith.Add", `{"A":1,"B":2}`).want(t, 0, "3\n", "only plain values are sent", "does not list its methods")
	with(t, "unlisted", "call", "Arith.Echo", `{"Bytes":5}`).want(t, codeFailed, "", "type mismatch")
	with(t, "unlisted", "call", "Arith.Kind", `{"$what":5}`).want(t, codeUsage, "", "argument of Arith.Kind: $what: a key that begins with $")
	with(t, "unlisted", "call", "Arith.Ad").want(t, codeNoMethod, "", "can't find method Arith.Ad")
	with(t, "unlisted", "call", "Ad").want(t, codeNoMethod, "", "ill-formed")
}

// TestCallFails: what goes wrong has a code, and is told.
func TestCallFails(t *testing.T) {
	for _, tt := range []struct {
		child string
		args  []string
		code  int
		errs  []string
	}{
		{"arith", []string{"Arith.Div", `{"A":1}`}, codeFailed, []string{"viaduct: Arith.Div: divide by zero\n"}},
		{"arith", []string{"Arith.Fail"}, codeFailed, []string{`Arith.Fail: out of paper (code -7, data {"tray":2})`}},
		{"arith", []string{"Arith.Panic", `"oh\u001b"`}, codeFailed, []string{`Arith.Panic: `, `oh\u001b`, "goroutine"}},
		{"arith", []string{"Arith.Add", `{"A":1.5}`}, codeUsage, []string{"argument of Arith.Add: A: an integer, in digits alone", `Arith.Add takes main.Args, as in {"A":0,"B":0}`}},
		{"arith", []string{"Arith.Add", `{"a":1}`}, codeUsage, []string{`there is no field "a" in main.Args (is it A`}},
		{"arith", []string{"Arith.Echo", `{"Bytes":"not base64!"}`}, codeUsage, []string{"Bytes: bytes as a string of base64"}},
		{"arith", []string{"Arith.Echo", `{"List":[{"B":"x"}]}`}, codeUsage, []string{"List[0].B: an integer"}},
		{"arith", []string{"Arith.Add", `{"A":`}, codeUsage, []string{"it ends too early"}},
		{"arith", []string{"Arith.add"}, codeNoMethod, []string{`there is no method "Arith.add" (is it Arith.Add`, "viaduct methods lists the"}},
		{"none", []string{"Arith.Add"}, codeNoMethod, []string{`there is no method "Arith.Add": the program has none`}},
		{"small", []string{"Arith.Say", `"` + strings.Repeat("x", 5000) + `"`}, codeUsage, []string{"4096"}},
		{"arith", []string{"Arith.Exit", "3"}, codeLinkDied, []string{"exit status 3"}},
		{"arith", []string{"-timeout", "50ms", "Arith.Wait"}, codeDeadline, []string{"waiting; with a deadline: true", "-timeout is over"}},
		{"json", []string{"Arith.Add"}, codeNotStarted, []string{`encodes arguments and replies as "json"`, `Options.Encoding "json"`}},
		{"picky", []string{"Arith.Add"}, codeNotStarted, []string{"needs app 2 or later", "-name and -app-version"}},
		{"silent", []string{"-start", "300ms", "Arith.Add"}, codeNotStarted, []string{"no hello from child", "within 300ms"}},
		{"leaves", []string{"Arith.Add"}, codeNotStarted, []string{"cannot find my files", "exit status 7"}},
	} {
		with(t, tt.child, append([]string{"call"}, tt.args...)...).want(t, tt.code, "", tt.errs...)
	}
	with(t, "picky", "call", "-name", "app", "-app-version", "2.1", "Arith.Add", `{"A":5}`).want(t, 0, "5\n")
	viaductIn(t, "", "call", "Arith.Add", "--", "no-such-program").want(t, codeNotStarted, "", "no-such-program", "is ./program")
	viaductIn(t, "", "call", "Arith.Add", "--", "./no-such-program").want(t, codeNotStarted, "", "no such file")
	viaductIn(t, "", "call", "Arith.Add", "--", os.Args[0], here, here).want(t, codeNotStarted, "", "stands among the arguments twice")
}

// TestCallsOfAFile: each has its line, and the first failure is the end.
func TestCallsOfAFile(t *testing.T) {
	const text = "# sums\nArith.Add {\"A\":1,\"B\":2}\n\n  Arith.Div {\"A\": 1}\nArith.Kind \"<a b>\"\nQuux\nArith.Add {\"A\":}\nArith.Add"
	const want = `{"line":2,"method":"Arith.Add","reply":3}
{"line":4,"method":"Arith.Div","error":"Arith.Div: divide by zero","code":1}
{"line":5,"method":"Arith.Kind","reply":"string"}
{"line":6,"method":"Quux","error":"there is no method \"Quux\"; viaduct methods lists the 12 that there are","code":3}
{"line":7,"method":"Arith.Add","error":"argument of Arith.Add: no JSON at byte 5: invalid character '}' looking for beginning of value: \"{\\\"A\\\":}\"\nArith.Add takes main.Args, as in {\"A\":0,\"B\":0}","code":2}
{"line":8,"method":"Arith.Add","reply":0}
`
	file := filepath.Join(t.TempDir(), "calls")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	with(t, "arith", "call", "-calls", file).want(t, codeFailed, want, "viaduct: line 4: Arith.Div: divide by zero\n")
	viaductIn(t, text, append([]string{"call", "-calls", "-"}, self("arith")...)...).want(t, codeFailed, want, "line 4")
	r := viaductIn(t, "Arith.Add\nArith.Exit 4\nArith.Add\n", append([]string{"call", "-calls=-"}, self("arith")...)...)
	r.want(t, codeLinkDied, r.out, "line 2: ", "exit status 4")
	if lines := strings.Split(r.out, "\n"); len(lines) != 3 || !strings.HasSuffix(lines[1], `"code":5}`) {
		t.Fatalf("calls went on without the link, or did not begin: %s", r.out)
	}
	viaductIn(t, "Arith.Say \"a\"\nArith.Say \"b\"\n", append([]string{"call", "-oneway", "-calls=-"}, self("arith")...)...).
		want(t, 0, "{\"line\":1,\"method\":\"Arith.Say\"}\n{\"line\":2,\"method\":\"Arith.Say\"}\n", "said: a\n", "said: b\n")
	with(t, "arith", "call", "-calls", filepath.Join(t.TempDir(), "nope")).want(t, codeUsage, "", "-calls: open")
}

// TestSocket: a program that is there already.
func TestSocket(t *testing.T) {
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"unix", "tcp"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			dir, err := os.MkdirTemp("", "v") // a short name: sockets have no long ones
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			address = filepath.Join(dir, "s")
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go rpcpipe.New(t.Context(), conn, &rpcpipe.Options{Server: server})
			}
		}()
		at := network + ":" + l.Addr().String()
		viaductIn(t, "", "call", "-socket", at, "Arith.Add", `{"A":1,"B":2}`).want(t, 0, "3\n")
		r := viaductIn(t, "", "check", "-socket", at)
		r.want(t, 0, r.out)
		l.Close()
		viaductIn(t, "", "call", "-socket", at, "Arith.Add").want(t, codeNotStarted, "", "connect")
	}
	for _, at := range []string{"", "x", "udp:x", "unix:", ":"} {
		viaductIn(t, "", "call", "-socket="+at, "Arith.Add").want(t, codeUsage, "", "was expected")
	}
	viaductIn(t, "", append([]string{"call", "-socket", "unix:x", "Arith.Add"}, self("arith")...)...).want(t, codeUsage, "", "one of them was expected")
}

// TestStdio: the link runs over standard input and output, also through a program in between.
func TestStdio(t *testing.T) {
	with(t, "arith", "call", "-stdio", "Arith.Add", `{"A":1,"B":2}`).want(t, 0, "3\n")
	if _, err := os.Stat("/bin/sh"); err == nil {
		script := fmt.Sprintf("echo junk; exec %q \"$@\"", os.Args[0])
		viaductIn(t, "", "call", "-stdio", "Arith.Say", `"x"`, "--", "/bin/sh", "-c", script, "sh", here, "arith").
			want(t, 0, "{}\n", "said: x")
	}
}
