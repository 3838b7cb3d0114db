package rpcpipe

// SuperviseWith is Supervise of peers that are started by start, which need no processes.
var SuperviseWith = supervise
