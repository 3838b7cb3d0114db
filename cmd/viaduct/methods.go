package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/value"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var methodsCommand = &command{
	name: "methods", args: "[-json] [method...] -- program [argument...]",
	short: "list what a program has to call",
	help: `The methods, the types of their arguments and replies, and what the program says of them. Of methods
that are named it shows the shape of an argument, too.`,
	examples: []string{
		`viaduct methods -- ./child`,
		`viaduct methods Arith.Add -- ./child -v`,
		`viaduct methods -json -- ./child | jq -r '.Methods[].Name'`,
		`viaduct methods -- python3 child.py viaduct:here Ada`,
		`viaduct methods -stdio -- ssh -T host ./child`,
	},
	flags: func(l *line) {
		commonFlags(l)
		l.flags.BoolVar(&l.json, "json", false, "write the listing as JSON")
	},
	run: methods,
}

func methods(ctx context.Context, s *streams, l *line) (err error) {
	p, err := l.connect(ctx, s)
	if err != nil {
		return err
	}
	defer func() { end(ctx, p, err) }()
	listing, err := l.listing(ctx, p)
	if err != nil {
		return err
	}
	if len(l.args) > 0 {
		if listing, err = only(listing, l.args); err != nil {
			return err
		}
	}
	if l.json {
		b, err := json.MarshalIndent(listing, "", "  ")
		if err == nil {
			_, err = s.out.Write(append(b, '\n'))
		}
		return err
	}
	return writeListing(s.out, listing, len(l.args) > 0)
}

// listing asks p for its listing.
func (l *line) listing(ctx context.Context, p *rpcpipe.Peer) (*rpcpipe.Listing, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return p.Methods(ctx)
}

// noMethod is the failure that there is no such method.
func noMethod(name string, listing *rpcpipe.Listing) error {
	var all []string
	for i := range listing.Methods {
		all = append(all, listing.Methods[i].Name)
	}
	if len(all) == 0 {
		return &failure{codeNoMethod, fmt.Sprintf("there is no method %q: the program has none", name)}
	}
	return &failure{codeNoMethod, fmt.Sprintf("there is no method %q%s; viaduct methods lists the %d that there are", name, offer(name, all), len(all))}
}

func find(listing *rpcpipe.Listing, name string) *rpcpipe.Method {
	for i := range listing.Methods {
		if listing.Methods[i].Name == name {
			return &listing.Methods[i]
		}
	}
	return nil
}

// only returns what listing says of some methods, and of all types.
func only(listing *rpcpipe.Listing, names []string) (*rpcpipe.Listing, error) {
	some := &rpcpipe.Listing{Types: listing.Types}
	for _, name := range names {
		m := find(listing, name)
		if m == nil {
			return nil, noMethod(name, listing)
		}
		some.Methods = append(some.Methods, *m)
	}
	return some, nil
}

// writeListing writes a listing for people, with examples of arguments if it is asked to.
func writeListing(w io.Writer, listing *rpcpipe.Listing, examples bool) error {
	var b strings.Builder
	schema := value.NewSchema(listing)
	used := make(map[string]bool)
	for i := range listing.Methods {
		m := &listing.Methods[i]
		fmt.Fprintf(&b, "%s(%s) %s\n", oneLine(m.Name), orAny(m.Arg), orAny(m.Reply))
		indent(&b, m.Doc)
		if examples {
			if example := schema.Example(m.Arg); example != "" {
				indent(&b, "as in "+example)
			}
		}
		for _, note := range m.Notes {
			indent(&b, "note: "+note)
		}
		schema.Uses(m.Arg, used)
		schema.Uses(m.Reply, used)
	}
	if len(listing.Methods) == 0 {
		fmt.Fprintln(&b, "there are no methods")
	}
	for i := range listing.Types {
		if t := &listing.Types[i]; used[t.Name] {
			writeType(&b, t)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orAny(of string) string {
	if of == "" {
		return "any"
	}
	return oneLine(of)
}

func indent(b *strings.Builder, text string) {
	for text := range strings.SplitSeq(text, "\n") {
		if text != "" {
			fmt.Fprintf(b, "    %s\n", clean(text))
		}
	}
}

func writeType(b *strings.Builder, t *rpcpipe.Type) {
	switch {
	case t.Is != "":
		fmt.Fprintf(b, "\n%s is %s\n", oneLine(t.Name), oneLine(t.Is))
		return
	case t.Positional:
		fmt.Fprintf(b, "\n%s, whose fields are the arguments themselves\n", oneLine(t.Name))
	default:
		fmt.Fprintf(b, "\n%s\n", oneLine(t.Name))
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, f := range t.Fields {
		text := slices.DeleteFunc([]string{"    " + oneLine(f.Name), orAny(f.Type), oneLine(f.Doc)}, func(s string) bool { return s == "" })
		fmt.Fprintln(w, strings.Join(text, "\t"))
	}
	w.Flush() // a Builder takes everything
}

// isUnlisted reports whether err says that the other side does not list its methods, or cannot.
func isUnlisted(err error) bool { return errors.Is(err, errors.ErrUnsupported) || isRemote(err) }
