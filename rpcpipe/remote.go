package rpcpipe

import "github.com/viaduct-go/viaduct/procspawn"

// Remote is what the other side has said of itself when the two connected. It is for logs and
// reports: what the two sides need of each other is checked already, see Options.NeedName. The other
// side can say what it likes.
type Remote struct {
	Name, Version string // of the application: its Options.Name and Version, empty if it has none
	Language      string // that it is written in: "go" for a program that uses this package
	Pid           int    // its process, as numbered where it runs; 0 if it has not said
}

// Remote returns what the other side has said of itself, as it was when the two connected, also
// when the link has ended. It is zero on a bare connection, where there is no hello.
func (p *Peer) Remote() Remote { return p.remote }

// remoteOf picks what users are told of a hello.
func remoteOf(hello procspawn.Hello) Remote {
	return Remote{Name: hello.Name, Version: hello.AppVersion, Language: hello.Lang, Pid: hello.Pid}
}
