package main

import (
	"strings"
	"testing"
)

// TestCheck: what is in order, and what is not.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		child string
		args  []string
		code  int
		lines []string // parts of the output
		bad   int
		errs  []string
	}{
		{child: "arith", lines: []string{
			"ok   start    process ", "ok   hello    language go, application arith, version 1.2, process ",
			"ok   protocol version 1, encoding msgpack\n", "ok   limits   messages of at most 134217728 bytes\n",
			"ok   features ", "ok   methods  12, with ", "ok   ping     answered after ", "ok   call     calls are answered: ",
			"ok   end      the link has ended in order", "ok   exit     status 0 after ",
		}},
		{child: "unlisted", lines: []string{"note features without methods", "note methods  not listed"}},
		{child: "none", lines: []string{"note methods  there are none"}},
		{child: "never", code: codeFailed, bad: 1, lines: []string{"BAD  methods  Bad.Chan: its reply cannot be sent: type chan int cannot be sent\n"},
			errs: []string{"things that are wrong: 1"}},
		{child: "small", lines: []string{"note limits   messages of at most 4096 bytes"}},
		{child: "mute", args: []string{"-timeout", "300ms"}, code: codeFailed, bad: 1, lines: []string{"BAD  methods  no answer in time", "ok   ping"},
			errs: []string{"wrong: 1"}},
		{child: "exit3", code: codeFailed, bad: 1, lines: []string{"BAD  exit     ", "exit status 3"}, errs: []string{"things that are wrong: 1"}},
		{child: "stays", code: codeFailed, bad: 1, lines: []string{"BAD  exit     the program did not end when its link was closed"}, errs: []string{"wrong: 1"}},
		{child: "leaves", code: codeNotStarted, errs: []string{"exit status 7", "cannot find my files"}},
		{child: "silent", args: []string{"-start", "300ms"}, code: codeNotStarted, errs: []string{"is it a viaduct program"}},
		{child: "picky", code: codeNotStarted, errs: []string{"needs app 2 or later"}},
		{child: "arith", args: []string{"what"}, code: codeUsage, errs: []string{"no arguments were expected"}},
	} {
		r := with(t, tt.child, append([]string{"check"}, tt.args...)...)
		r.want(t, tt.code, r.out, tt.errs...)
		for _, line := range tt.lines {
			if !strings.Contains(r.out, line) {
				t.Errorf("%s: there is no %q in\n%s", tt.child, line, r.out)
			}
		}
		if n := strings.Count(r.out, "BAD "); n != tt.bad {
			t.Errorf("%s: %d lines are about something wrong, %d were expected:\n%s", tt.child, n, tt.bad, r.out)
		}
	}
	viaductIn(t, "", "check", "--", "true").want(t, codeNotStarted, "", "exited before its hello", here)
}
