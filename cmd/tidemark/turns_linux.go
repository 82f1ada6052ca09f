package main

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// turn is how long a thread keeps a core that another one waits for, while a rebuild computes: the shortest that Linux
// allows. It looks again whether somebody waits when one wakes up, and otherwise at every tick, which is up to ten
// milliseconds long. By default a thread that has just begun its turn is not put off before the tick.
const turn = 100 * time.Microsecond

// stepAside gives the goroutine that calls it a thread of its own until it ends, of which the kernel knows that it computes: it
// never takes a core from a thread that serves. It has its share of them all the same: with a lower priority,
// beside other processes that use every core, it held up whoever waited for what it held (a lock, the collector's
// stop) until webhooks were refused.
func stepAside() {
	runtime.LockOSThread() // the thread ends with the goroutine, for who serves is not to get it
	schedule(0, func(a *unix.SchedAttr) { a.Policy, a.Runtime = unix.SCHED_BATCH, uint64(turn) })
}

// shortTurns makes the turns of all threads short until what it returns is called. Nobody has more or less of
// the processors by it; who has something small to do has it sooner. Linux before 6.12 knows one
// length for all and ignores it.
func shortTurns() (over func()) {
	turns(uint64(turn))
	return func() { turns(0) } // the kernel's own
}

// turns sets the length of every thread's turns. A thread that is made meanwhile has what its maker had, so it looks until
// there is none that it has not seen.
func turns(ns uint64) {
	for seen, more := map[int]bool{}, true; more; {
		more = false
		for _, tid := range threads() {
			if !seen[tid] {
				seen[tid], more = true, true
				schedule(tid, func(a *unix.SchedAttr) { a.Runtime = ns })
			}
		}
	}
}

// threads returns the threads that the process has, none where it cannot be known.
func threads() (tids []int) {
	tasks, _ := os.ReadDir("/proc/self/task") // what cannot be read names none
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// schedule changes how the kernel schedules a thread; 0 is the caller's. Where that is refused, or the
// thread has ended, requests wait longer and nothing is wrong.
func schedule(tid int, change func(*unix.SchedAttr)) {
	if attr, err := unix.SchedGetAttr(tid, 0); err == nil {
		change(attr)
		_ = unix.SchedSetAttr(tid, attr, 0)
	}
}
