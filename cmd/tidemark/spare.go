package main

import "runtime"

// spare is how many threads more than otherwise Go has while a rebuild computes.
const spare = 2

// besideRebuild makes the process ready to serve beside a rebuild that computes, until what it returns is called.
func (a *app) besideRebuild() (over func()) {
	noSpare, ownTurns := a.spareThreads(), shortTurns()
	return func() { noSpare(); ownTurns() }
}

// spareThreads lets the kernel decide between a rebuild and those who are served, until what it returns is
// called. Go itself looks for requests only when a thread has nothing else to do, or after ten
// milliseconds: with a rebuild on one of two cores, and the collection of its garbage on the other, the slowest
// answer in a hundred took 15 to 40 ms; with two threads more 4 to 8.
func (a *app) spareThreads() (over func()) {
	if _, said := a.environ("GOMAXPROCS"); said {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + spare)
	return func() { runtime.GOMAXPROCS(before) }
}
