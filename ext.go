package viaduct

// Ext is a MessagePack ext value, passed through as it is. Codes from 0 to 127
// are for applications, negative ones are MessagePack's own.
type Ext struct {
	Code int8
	Data []byte // after decoding it may alias the message
}
