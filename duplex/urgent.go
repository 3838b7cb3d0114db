package duplex

import "encoding/binary"

// sendUrgent queues data behind what is queued, whatever the credit.
func (w *writer) sendUrgent(data []byte) error {
	switch {
	case len(data) == 0:
		return errEmpty
	case len(data) > maxUrgent:
		return &SizeError{Size: len(data), Limit: maxUrgent}
	}
	w.mu.Lock()
	if err := w.maySend(); err != nil {
		w.mu.Unlock()
		return err
	}
	w.urgents = appendWhole(w.urgents, urgent, data)
	w.unlockAndWrite(false)
	return nil
}

// urgentRoom is how much of a batch is for urgent messages, however full it is.
const urgentRoom = 4 << 10

// appendUrgents appends urgent messages to batch while it has room: they may be
// as many as there are calls, and others have their turn, too.
func (w *writer) appendUrgents(batch []byte) []byte {
	n := 0
	for n < len(w.urgents) && (n < urgentRoom || len(batch)+n < w.maxQueue) {
		n += headerSize + int(binary.LittleEndian.Uint16(w.urgents[n+2:]))
	}
	if n == 0 {
		return batch
	}
	batch = append(w.buffer(batch, n), w.urgents[:n]...)
	if w.urgents = w.urgents[n:]; len(w.urgents) == 0 {
		w.urgents = nil
	}
	return batch
}
