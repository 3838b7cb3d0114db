package rpcpipe

import "log/slog"

// LogHandler returns a handler whose records go to the Options.LogHandler of the other side, with
// their times, levels, messages, sources (as an attribute with the key [slog.SourceKey]) and
// attributes. opts may be nil. ReplaceAttr is called for attributes alone: the other fields are the
// other side's to show.
//
// Records that cannot go there go to Options.LogFallback, which is stderr, as text, unless it says
// otherwise: all of them if the other side has no LogHandler, those that come when the link has
// ended, or are still queued then, and those that are refused while it is shutting down. So a
// log.Fatal behind
//
//	slog.SetDefault(slog.New(peer.LogHandler(nil)))
//
// is heard although the link has ended. The fallback runs in the goroutine that logs. (What was
// queued is given to it in a goroutine of the Peer's, until [Peer.Wait] gives that up, and its
// attributes went through ReplaceAttr.) A handler of yours gets all fields as they were logged; the
// default one calls ReplaceAttr for all of them, as any [slog.TextHandler].
//
// While the link is up the handler never waits, whatever the other side does. A record is written
// at once if the pipe takes it and nothing else is just being written, so that what is logged last
// before a crash arrives; otherwise it is queued. 1 MiB of records are queued here, and 1 MiB there
// (where each message counts with 128 bytes on top); those beyond are dropped. As soon as there is
// room again the other side's handler is told how many, by a record of level Warn with the
// attribute "dropped"; see also [Peer.LogDrops]. While the link is shutting down only what is
// logged while a method is served goes out.
//
// Records may be handled before notifications that were sent earlier, and before or behind the
// reply of the method that has logged them.
//
// Attributes keep the kinds of package slog, but [slog.KindAny]: errors, types with MarshalText and
// all others cross as the text that a [slog.TextHandler] would write; nil and []byte as they are.
// Of a record that takes more than 32 KiB the attributes are left out, which an attribute
// "!TOOLARGE" says, and so is the end of its message if that alone takes more. Groups nest 31 deep
// at most.
//
// Options.Logger may be built on it.
func (p *Peer) LogHandler(opts *slog.HandlerOptions) slog.Handler { return p.endpoint.LogHandler(opts) }

// LogDrops returns how many log records were dropped so far, as far as this side knows: of those
// that were to go out through LogHandler, and of those from the other side that Options.LogHandler
// has not got. Those that went to Options.LogFallback do not count, but for what was refused while
// the link was shutting down, which the other side misses.
func (p *Peer) LogDrops() (out, in uint64) { return p.endpoint.LogDrops() }
