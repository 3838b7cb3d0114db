package viaduct

import "github.com/viaduct-go/viaduct/duplex"

var _ link = (*duplex.Lane)(nil)
