package rpcpipe

import "context"

// SuperviseWith is Supervise of peers that are started by start, which need no processes.
var SuperviseWith = supervise

// Settle waits until nothing goes on that p has given up.
func Settle(ctx context.Context, p *Peer) error { return p.endpoint.Settle(ctx) }

// NewPoolWith is NewPool of peers that are started by start, which need no processes.
var NewPoolWith = newPool
