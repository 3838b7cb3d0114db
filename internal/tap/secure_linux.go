package tap

import "golang.org/x/sys/unix"

// isSecure reports what the kernel has told this process when it was executed, which stays as it is
// when the process gives its rights up. A system that does not tell is not trusted.
func isSecure() bool {
	const atSecure = 23
	pairs, err := unix.Auxv()
	if err != nil {
		return true
	}
	for _, pair := range pairs {
		if pair[0] == atSecure {
			return pair[1] != 0
		}
	}
	return true
}
