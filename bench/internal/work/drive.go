package work

import (
	"errors"
	"sync"
	"time"
)

// Drive makes small calls from so many callers, each one after another, for so long, and returns
// how many were made. Each makes one at least.
func Drive(p Adder, callers int, d time.Duration) (int, error) {
	end := time.Now().Add(d)
	counts, errs := make([]int, callers), make([]error, callers)
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() {
			for n := 0; ; {
				if errs[i] = Add(p, i, n); errs[i] != nil {
					return
				}
				n++
				counts[i] = n
				if !time.Now().Before(end) {
					return
				}
			}
		})
	}
	running.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, errors.Join(errs...)
}
