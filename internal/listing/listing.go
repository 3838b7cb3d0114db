// Package listing says what a server has for the other side to call: methods, and the types of
// their arguments and replies.
//
// It assumes of net/rpc what it checks first, as that keeps its table to itself: where the table is
// another one, there is an error and no listing. It promises that neither a table nor the bytes of a
// peer make it panic, and that what it takes from a peer is bounded. docs/PROTOCOL.md describes the
// bytes and the names of types, in section Listing.
//
//	*rpc.Server -> tableOf -> Of -> Append ---> peer ---> Parse
package listing

import (
	"cmp"
	"errors"
	"fmt"
	"net/rpc"
	"reflect"
	"slices"
)

// Listing is rpcpipe.Listing.
type Listing struct {
	Methods []Method
	Types   []Type
}

// Method is rpcpipe.Method.
type Method struct {
	Name       string
	Arg, Reply string
	Doc        string
	Notes      []string
}

// Type is rpcpipe.Type.
type Type struct {
	Name       string
	Is         string
	Positional bool
	Fields     []Field
}

// Field is rpcpipe.Field.
type Field struct {
	Name, Type, Doc string
}

// Of lists what server has, each method by the name that the other side calls it by: serviceMethod
// makes the server's name of it; nil: they are the same. Methods that no such name leads to are left
// out, as nobody can call them.
func Of(server *rpc.Server, serviceMethod func(name string) string) (l *Listing, err error) {
	defer func() {
		if r := recover(); r != nil {
			l, err = nil, fmt.Errorf("%w: panic: %v", errNotListed, r)
		}
	}()
	table, err := tableOf(server)
	if err != nil {
		return nil, err
	}
	l = new(Listing)
	d := describer{names: make(map[reflect.Type]string), taken: make(map[string]bool), open: make(map[reflect.Type]bool)}
	for name := range table {
		m, ok := table[name]
		if serviceMethod != nil {
			m, ok = table[serviceMethod(name)]
		}
		if ok {
			l.Methods = append(l.Methods, Method{Name: name, Doc: m.doc})
		}
	}
	slices.SortFunc(l.Methods, func(a, b Method) int { return cmp.Compare(a.Name, b.Name) })
	for i := range l.Methods { // in order, so that the names of types are the same each time
		m := &l.Methods[i]
		of := table[m.Name]
		if serviceMethod != nil {
			of = table[serviceMethod(m.Name)]
		}
		m.Arg, m.Reply, m.Notes = d.describe(behind(of.arg)), d.describe(behind(of.reply)), notesOf(of.arg, of.reply)
	}
	l.Types = d.types
	slices.SortFunc(l.Types, func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
	return l, nil
}

// errNotListed is what whoever asks for a listing is told where there is none.
var errNotListed = errors.New("viaduct: methods are not listed")
