//go:build !linux

package procspawn

import "os"

// executable returns the path of this program, and where to find the file that runs: also there, as
// there is no way to start one that has been replaced or removed.
func executable() (path, file string, err error) {
	path, err = os.Executable()
	return path, path, err
}
