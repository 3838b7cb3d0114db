package memory

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Resident returns how much memory a process holds now, in bytes: the second field of its statm.
func Resident(pid int) (int64, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/statm"
	statm, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has %d fields, at least 2 were expected", name, len(fields))
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
