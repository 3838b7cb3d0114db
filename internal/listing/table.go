package listing

import (
	"fmt"
	"net/rpc"
	"reflect"
	"sync"
	"unsafe"
)

// entry is a method in the table of an rpc.Server.
type entry struct {
	arg, reply reflect.Type
	doc        string
}

// Documented is what a receiver may have to say what its methods do, by their names without that of
// the service.
type Documented interface{ MethodDocs() map[string]string }

var (
	typeOfMap   = reflect.TypeFor[sync.Map]()
	typeOfType  = reflect.TypeFor[reflect.Type]()
	typeOfValue = reflect.TypeFor[reflect.Value]()
)

// tableOf reads the table of server, whose fields are not exported, by the names of its methods. It
// takes nothing for granted but that fields are what their types say. Services may be registered
// meanwhile: the table is a sync.Map, and what is in it does not change.
func tableOf(server *rpc.Server) (map[string]entry, error) {
	services, err := field[*sync.Map](reflect.ValueOf(server), "serviceMap", typeOfMap)
	if err != nil {
		return nil, err
	}
	table := make(map[string]entry)
	services.Range(func(key, value any) bool {
		name, ok := key.(string)
		if !ok {
			err = fmt.Errorf("%w: services of package net/rpc have names of type %T, string was expected", errNotListed, key)
			return false
		}
		err = addService(table, name, reflect.ValueOf(value))
		return err == nil
	})
	return table, err
}

// addService adds the methods of service, a *net/rpc.service.
func addService(table map[string]entry, name string, service reflect.Value) error {
	methods, err := fieldOf(service, "method")
	if err != nil {
		return err
	}
	if t := methods.Type(); t.Kind() != reflect.Map || t.Key().Kind() != reflect.String {
		return fmt.Errorf("%w: the methods of a service of package net/rpc are a %v, a map from strings was expected", errNotListed, t)
	}
	receiver, err := field[*reflect.Value](service, "rcvr", typeOfValue)
	if err != nil {
		return err
	}
	docs := docsOf(*receiver)
	for it := methods.MapRange(); it.Next(); {
		arg, err := field[*reflect.Type](it.Value(), "ArgType", typeOfType)
		if err != nil {
			return err
		}
		reply, err := field[*reflect.Type](it.Value(), "ReplyType", typeOfType)
		if err != nil {
			return err
		}
		if *arg == nil || *reply == nil {
			return fmt.Errorf("%w: a method of package net/rpc has no types", errNotListed)
		}
		method := it.Key().String()
		table[name+"."+method] = entry{*arg, *reply, docs[method]}
	}
	return nil
}

// field returns a pointer, of type P, to the field of what p points to, which must be of type t.
func field[P any](p reflect.Value, name string, t reflect.Type) (P, error) {
	var none P
	f, err := fieldOf(p, name)
	if err != nil {
		return none, err
	}
	if f.Type() != t {
		return none, fmt.Errorf("%w: field %s of a type of package net/rpc is a %v, %v was expected", errNotListed, name, f.Type(), t)
	}
	return f.Addr().Interface().(P), nil
}

// fieldOf returns the field of the struct that p points to, as if it was exported.
func fieldOf(p reflect.Value, name string) (reflect.Value, error) {
	if p.Kind() != reflect.Pointer || p.Type().Elem().Kind() != reflect.Struct || p.IsNil() {
		return reflect.Value{}, fmt.Errorf("%w: a value of package net/rpc is a %v, a pointer to a struct was expected", errNotListed, p.Kind())
	}
	f := p.Elem().FieldByName(name)
	if !f.IsValid() {
		return reflect.Value{}, fmt.Errorf("%w: %v has no field %s in this version of Go", errNotListed, p.Type().Elem(), name)
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), nil
}

// docsOf returns what a receiver says of its methods. One that panics says nothing.
func docsOf(receiver reflect.Value) (docs map[string]string) {
	defer func() {
		if recover() != nil {
			docs = nil
		}
	}()
	if d, ok := receiver.Interface().(Documented); ok {
		docs = d.MethodDocs()
	}
	return docs
}
