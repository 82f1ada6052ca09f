//go:build !linux

package main

// stepAside does nothing: only Linux schedules a thread by what it is told of that one.
func stepAside() {}

// shortTurns does nothing.
func shortTurns() (over func()) { return func() {} }
