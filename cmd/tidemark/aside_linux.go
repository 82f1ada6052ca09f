package main

import (
	"runtime"
	"syscall"
)

// asideNice is the nice value of a rebuild's threads. The kernel gives them a tenth of what it gives another
// thread that wants the same core, so a rebuild goes on while all are busy, and takes what is left when they are not.
const asideNice = 10

// stepAside has the kernel run everybody else before the goroutine that calls it, which keeps its thread
// until it ends: the thread ends with it, for an ordinary user may lower a priority and not raise it again. A
// core that a rebuild has is otherwise had for some milliseconds before a request that just came in gets its turn.
func stepAside() {
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), asideNice) // where it is refused, requests wait longer and nothing is wrong
}
