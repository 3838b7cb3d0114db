package procspawn

import "github.com/viaduct-go/viaduct/internal/handles"

// init gives rpcpipe what it needs of this package and nobody else does: see package handles.
func init() {
	handles.SetHello = func(opts any, h handles.Hello) { opts.(*Options).hello = h }
	handles.Check = func(opts any) error { return opts.(*Options).check() }
	handles.SetPending = func(opts any, pending func() []handles.PendingCall) { opts.(*Options).pending = pending }
	handles.SetWhy = func(opts any, why func() error) { opts.(*Options).why = why }
	handles.Sums = func(link any) (out, in uint32) { l := link.(*Link); return l.sumsOut, l.sumsIn }
	handles.SetLarge = func(link any) func(large bool) bool {
		if c, ok := link.(*Link).conn.(interface{ SetLarge(bool) bool }); ok {
			return c.SetLarge
		}
		return nil
	}
	handles.Lost = func(link any) { link.(*Link).lose() }
	handles.LinkState = func(link any) (stopped, outlived bool) { return child.linkState(link) }
	handles.RawLink = rawLink
	handles.Stopping = func(process, step any) { process.(*Process).noteStep(step.(Step)) }
}
