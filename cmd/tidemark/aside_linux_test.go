package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// niceOf returns the nice value of a thread of this process, "" once it is gone.
func niceOf(tid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])) // from the third on
	return fields[16]
}

// A goroutine that steps aside has a thread of its own that the kernel runs after others, and which
// nobody else gets when it has ended.
func TestStepAside(t *testing.T) {
	tids, end, ended := make(chan int), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		stepAside()
		tids <- syscall.Gettid()
		<-end
		if tid := syscall.Gettid(); niceOf(tid) != fmt.Sprint(asideNice) {
			t.Errorf("it goes on in thread %d with nice value %s", tid, niceOf(tid))
		}
	}()
	aside := <-tids
	if got := niceOf(aside); got != fmt.Sprint(asideNice) {
		t.Errorf("its nice value is %s, want %d", got, asideNice)
	}
	runtime.LockOSThread()
	if got := niceOf(syscall.Gettid()); got != "0" {
		t.Errorf("that of others is %s", got)
	}
	runtime.UnlockOSThread()
	close(end)
	<-ended
	if aside == syscall.Getpid() {
		t.Skip("it was the first thread of the process, which never ends")
	}
	await(t, "its thread is gone", func() bool { return niceOf(aside) == "" })
}
