package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

func TestMethods(t *testing.T) {
	with(t, "arith", "methods", "Arith.Add", "Arith.Meta").want(t, 0, `Arith.Add(main.Args) int
    adds two numbers
    \u001b[31mas you know
    as in {"A":0,"B":0}
Arith.Meta(main.Call) map[string]string
    as in {}

main.Args
    A  int  the first
    B  int

main.Call
`)
	r := with(t, "arith", "methods")
	r.want(t, 0, r.out)
	for _, line := range []string{
		"Arith.Add(main.Args) int\n", "Arith.Shape(struct{}) any\n", "    note: time.Time keeps the instant", "\nmain.All\n", "    ByN    map[int]string\n",
		"    Next   *main.All\n", "    For    duration\n",
	} {
		if !strings.Contains(r.out, line) {
			t.Errorf("there is no %q in\n%s", line, r.out)
		}
	}
	if strings.Contains(r.out, "\x1b") {
		t.Error("what a program says reaches the terminal as it is")
	}
	with(t, "none", "methods").want(t, 0, "there are no methods\n")
	with(t, "unlisted", "methods").want(t, codeFailed, "", "does not list its methods")
	with(t, "arith", "methods", "Arith.Adr").want(t, codeNoMethod, "", `there is no method "Arith.Adr" (is it Arith.Add`)
}

func TestMethodsAsJSON(t *testing.T) {
	r := with(t, "arith", "methods", "-json", "Arith.Div")
	r.want(t, 0, r.out)
	var l rpcpipe.Listing
	if err := json.Unmarshal([]byte(r.out), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Methods) != 1 || l.Methods[0].Name != "Arith.Div" || len(l.Types) == 0 {
		t.Fatalf("%+v", l)
	}
}
