//go:build !linux

package main

// stepAside does nothing: only Linux has a priority for a thread alone.
func stepAside() {}
