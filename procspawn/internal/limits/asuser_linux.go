package limits

import (
	"errors"
	"syscall"
)

// asUser calls f, and again with the real ids of the calling thread set to those of another user if
// that is not permitted. It is for root without CAP_SYS_RESOURCE, as in many containers, who may set
// limits of processes with its own real ids only. The effective ids, by which the thread may do what
// it does, stay. The goroutine must be locked to its thread.
func asUser(user *syscall.Credential, f func() error) error {
	err := f()
	if user == nil || !errors.Is(err, syscall.EPERM) {
		return err
	}
	uid, gid := syscall.Getuid(), syscall.Getgid()
	if !setRealID(setresgid, user.Gid) {
		return err
	}
	defer setRealID(setresgid, uint32(gid))
	if !setRealID(setresuid, user.Uid) {
		return err
	}
	defer setRealID(setresuid, uint32(uid))
	return f()
}

// setRealID sets a real id of this thread alone. (That of package syscall is for all threads.)
func setRealID(call uintptr, id uint32) bool {
	const same = ^uintptr(0) // the effective and the saved id
	_, _, errno := syscall.RawSyscall(call, uintptr(id), same, same)
	return errno == 0
}
