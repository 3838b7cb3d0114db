//go:build !unix

package sentinel

import "os"

func claim(r, w int) (rf, wf *os.File, err error) {
	return nil, nil, sentinelError("this system has no pipes that a child could inherit")
}
