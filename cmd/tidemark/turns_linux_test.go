package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scheduled returns how a thread of this process is scheduled, nil once it is gone.
func scheduled(t *testing.T, tid int) *unix.SchedAttr {
	t.Helper()
	attr, err := unix.SchedGetAttr(tid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return attr
}

// A goroutine that steps aside has a thread of its own, which the kernel knows to compute and has
// its share of the processors, and which nobody else gets when it has ended.
func TestStepAside(t *testing.T) {
	nice := scheduled(t, os.Getpid()).Nice
	tids, end, ended := make(chan int), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		stepAside()
		tids <- unix.Gettid()
		<-end
		if attr := scheduled(t, unix.Gettid()); attr.Policy != unix.SCHED_BATCH {
			t.Errorf("it goes on in a thread that is scheduled as %+v", attr)
		}
	}()
	aside := <-tids
	if attr := scheduled(t, aside); attr.Policy != unix.SCHED_BATCH || attr.Nice != nice {
		t.Errorf("it is scheduled as %+v", attr)
	}
	close(end)
	<-ended
	if aside == os.Getpid() {
		t.Skip("it was the first thread of the process, which never ends")
	}
	await(t, "its thread is gone", func() bool { return scheduled(t, aside) == nil })
}

// While a rebuild computes all threads have short turns, those that are made meanwhile too, and
// afterwards the kernel's own.
func TestShortTurns(t *testing.T) {
	var release unix.Utsname
	if err := unix.Uname(&release); err != nil {
		t.Fatal(err)
	}
	if !knowsTurns(unix.ByteSliceToString(release.Release[:])) {
		t.Skipf("Linux %s has one length of a turn for all", unix.ByteSliceToString(release.Release[:]))
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := scheduled(t, unix.Gettid()).Runtime
	if own == uint64(turn) {
		t.Fatalf("turns are %v long before", time.Duration(own))
	}
	over := shortTurns()
	up, end := make(chan struct{}), make(chan struct{})
	defer close(end)
	before := len(threads())
	for range before + 1 { // more than there are threads for
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up <- struct{}{}
			<-end
		}()
		<-up
	}
	if now := len(threads()); now <= before {
		t.Fatalf("there are %d threads, as %d before", now, before)
	}
	for _, tid := range threads() {
		if attr := scheduled(t, tid); attr != nil && attr.Runtime != uint64(turn) {
			t.Errorf("thread %d has turns of %v", tid, time.Duration(attr.Runtime))
		}
	}
	over()
	for _, tid := range threads() {
		if attr := scheduled(t, tid); attr != nil && attr.Runtime != own {
			t.Errorf("afterwards thread %d has turns of %v, want %v", tid, time.Duration(attr.Runtime), time.Duration(own))
		}
	}
}

// knowsTurns says whether a kernel has a length of a turn for each thread, as 6.12 and those after it do.
func knowsTurns(release string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); n < 2 || err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 12
}
