package viaduct

const (
	defaultMaxHandlers     = 16 << 10
	defaultMaxWaiting      = 16 << 10
	defaultMaxHandlerBytes = 512 << 20
	// maxWaitingBytes bounds the calls that wait, but for one.
	maxWaitingBytes = 64 << 20
)

// limits are those of the handlers of an Endpoint.
type limits struct {
	handlers   int
	bytes      int
	waiting    int
	concurrent bool // notifications
}

func (o *Options) limits() limits {
	l := limits{defaultMaxHandlers, defaultMaxHandlerBytes, defaultMaxWaiting, false}
	if o == nil {
		return l
	}
	if o.MaxHandlers > 0 {
		l.handlers = min(o.MaxHandlers, 1<<30) // more may be added to it
	}
	if o.MaxHandlerBytes > 0 {
		l.bytes = o.MaxHandlerBytes
	}
	switch {
	case o.MaxWaiting > 0:
		l.waiting = o.MaxWaiting
	case o.MaxWaiting < 0:
		l.waiting = 0
	}
	l.concurrent = o.ConcurrentNotify
	return l
}
