package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"strings"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A Removal is what Files.Remove takes.
type Removal struct{ Path string }

// Files is a service.
type Files struct{}

// Remove would remove a file.
func (Files) Remove(args Removal, reply *string) error {
	*reply = "removed " + args.Path
	return nil
}

// A ServeHook refuses calls by the type and the value of their argument: their methods do not begin.
func ExampleCallInfo_Refuse() {
	server := rpc.NewServer()
	if err := server.Register(Files{}); err != nil {
		fmt.Println(err)
		return
	}
	onlyTemporary := func(ctx context.Context, call rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
		if args, ok := call.Args.(*Removal); ok && !strings.HasPrefix(args.Path, "tmp/") {
			call.Refuse(&viaduct.Error{Code: 403, Message: args.Path + " is not temporary"})
		}
		return ctx, nil
	}
	parent, child := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server, ServeHook: onlyTemporary})
	defer child.Close()
	defer parent.Close()

	var reply string
	err := parent.Call("Files.Remove", Removal{"tmp/7"}, &reply)
	fmt.Println(reply, err)
	err = parent.Call("Files.Remove", Removal{"accounts"}, nil)
	fmt.Println(err, errors.Is(err, viaduct.ErrNotBegun))
	// Output:
	// removed tmp/7 <nil>
	// accounts is not temporary true
}
