package main

import (
	"runtime"
	"testing"
)

// A rebuild leaves a processor to those who are served, though Go runs on more than there are, and what it
// changed is as before when it is over.
func TestSpareThreads(t *testing.T) {
	there := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(there)
	a := &app{environ: func(string) (string, bool) { return "", false }}

	for range 2 { // the second with twice as many, so that it is seen on one processor too
		if got, want := a.tuneProcessors(), max(1, there-1); got != want {
			t.Errorf("a rebuild computes on %d of %d processors, want %d", got, there, want)
		}
		served := runtime.GOMAXPROCS(0)
		if served != there+1 {
			t.Errorf("Go runs on %d, want one more than %d processors", served, there)
		}
		over := a.spareThreads()
		if got := runtime.GOMAXPROCS(0); got != served+spare {
			t.Errorf("during a rebuild Go runs on %d, want %d", got, served+spare)
		}
		over()
		if got := runtime.GOMAXPROCS(0); got != served {
			t.Errorf("after a rebuild Go runs on %d, want %d as before", got, served)
		}
		there = 2 * there
		runtime.GOMAXPROCS(there)
	}
}

// An operator who says how many processors there are is believed.
func TestSpareThreadsSaid(t *testing.T) {
	there := runtime.GOMAXPROCS(0)
	a := &app{environ: func(name string) (string, bool) { return "", name == "GOMAXPROCS" }}
	if got, want := a.tuneProcessors(), max(1, there-1); got != want {
		t.Errorf("a rebuild computes on %d of %d processors, want %d", got, there, want)
	}
	a.spareThreads()()
	if got := runtime.GOMAXPROCS(0); got != there {
		t.Errorf("Go runs on %d, want %d", got, there)
	}
}
