//go:build !linux && !darwin && !windows

package memory

import "errors"

// Resident is not known here.
func Resident(int) (int64, error) { return 0, errors.ErrUnsupported }
