package family

// onFirstThread would report whether the caller runs on the thread by which this process has begun.
// It makes no difference here.
func onFirstThread() bool { return false }
