package viaduct

// Params is an argument that is sent as the params array itself: for methods
// of other MessagePack-RPC programs that take any number of parameters but one. As the argument
// of a method served here it takes calls with any number of parameters.
type Params []any

// Ext is a MessagePack ext value, passed through as it is. Codes from 0 to 127
// are for applications, negative ones are MessagePack's own.
type Ext struct {
	Code int8
	Data []byte // after decoding it may alias the message
}
