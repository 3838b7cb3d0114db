package viaduct

import (
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
)

var _ link = struct {
	*duplex.Lane
	handles.Order
}{}
