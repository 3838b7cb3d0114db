package procspawn

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		needs         Needs
		name, version string
		want          bool
	}{
		{Needs{}, "", "", true},
		{Needs{}, "app", "x", true},
		{Needs{Name: "app"}, "app", "", true},
		{Needs{Name: "app"}, "App", "", false},
		{Needs{Name: "app"}, "", "", false},
		{Needs{"app", "3", "4"}, "app", "2", false},
		{Needs{"app", "3", "4"}, "app", "3", true},
		{Needs{"app", "3", "4"}, "app", "4.9.9", true},
		{Needs{"app", "3", "4"}, "app", "5.0", false},
		{Needs{"app", "3", "4"}, "app", "2.99", false},
		{Needs{"", "1.9", "1.10"}, "", "1.10.3", true},
		{Needs{"", "1.9", "1.10"}, "", "1.11", false},
		{Needs{"", "1.9.1", ""}, "", "1.9", false},
		{Needs{"", "1.9.0", ""}, "", "1.9", true},
		{Needs{"", "v1.9", "v2"}, "", "1.9-rc1+build", true},
		{Needs{"", "", "2"}, "", "1", true},
		{Needs{"", "1", ""}, "", "", false},
		{Needs{"", "1", ""}, "", "one", false},
		{Needs{"", "1", ""}, "", "1..2", false},
		{Needs{"", "1", ""}, "", "99999999999999999999", false},
	} {
		assert.Equal(t, tt.want, tt.needs.met(tt.name, tt.version), "%+v", tt)
	}
}

func TestNeedsString(t *testing.T) {
	for want, n := range map[string]Needs{
		"3 to 4": {"", "3", "4"}, "app 3 or later": {"app", "3", ""}, "app 4 or earlier": {"app", "", "4"}, "app 3": {"app", "3", "3"}, "app": {Name: "app"},
	} {
		assert.Equal(t, want, n.String())
	}
}

// The app helper is a child with a name, a version, and needs.
var _ = helper("app", func(args []string) {
	l := connect(&Options{Name: args[0], Version: args[1], NeedName: args[2], MinVersion: args[3], MaxVersion: args[4]})
	l.Read(make([]byte, 1))
})

func TestAppRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  Options
		child []string
		want  string // of Start; empty: no error
		says  string // on the child's stderr
	}{
		{"fits", Options{Name: "host", Version: "7.1", NeedName: "app", MinVersion: "3", MaxVersion: "4"}, []string{"app", "4.2", "host", "7", "7"}, "", ""},
		{"the child is too old", Options{MinVersion: "3", MaxVersion: "4"}, []string{"app", "2", "", "", ""},
			"child is app 2, this host needs 3 to 4", "parent needs 3 to 4"},
		{"another program", Options{NeedName: "app", MinVersion: "3"}, []string{"other", "3", "", "", ""},
			"child is other 3, this host needs app 3 or later", "this child is other 3"},
		{"no name", Options{NeedName: "app"}, []string{"", "", "", "", ""}, "child is an application without name and version, this host needs app", ""},
		{"the host is too new", Options{Name: "host", Version: "9"}, []string{"app", "4", "host", "7", "8"},
			"this host is host 9, child needs host 7 to 8", "parent is host 9, this child needs host 7 to 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			p, err := Start(t.Context(), selfCmd("app", tt.child...), &tt.opts)
			if tt.want == "" {
				require.NoError(t, err)
				assert.Equal(t, "app", p.Link().Remote().Name)
				assert.Equal(t, "4.2", p.Link().Remote().AppVersion)
				assert.Equal(t, Needs{"host", "7", "7"}, p.Link().Remote().Needs)
				p.Stop()
				return
			}
			var app *AppError
			require.ErrorAs(t, err, &app)
			assert.ErrorContains(t, err, tt.want)
			assert.Equal(t, strings.HasPrefix(tt.want, "child is"), app.Remote)
			var start *StartError
			require.ErrorAs(t, err, &start)
			assert.Contains(t, string(start.Exit.Stderr), tt.says) // both refuse
		})
	}
}

func TestAppOptions(t *testing.T) {
	for _, opts := range []*Options{{MinVersion: "three"}, {MaxVersion: "1..2"}, {Name: strings.Repeat("x", 257)}} {
		_, err := Start(t.Context(), selfCmd("echo"), opts)
		assert.ErrorContains(t, err, "expected")
		a, b := net.Pipe()
		defer b.Close()
		_, err = Handshake(context.Background(), a, opts)
		assert.ErrorContains(t, err, "expected")
	}
}
