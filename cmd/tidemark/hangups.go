package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// hangups are the SIGHUPs that come in: from somebody who wants the configuration
// read anew, or from a terminal that is closed.
type hangups struct {
	signals <-chan os.Signal
	// left reports whether the terminal is gone that the server talks to.
	left func() bool
}

// errLeft means that the terminal is gone that the server was started from.
var errLeft = errors.New("the terminal is gone")

// catchHangups catches SIGHUP until stop is called. Without it a signal that comes before
// everything is open would end the process.
func (a *app) catchHangups() (h hangups, stop func()) {
	// A server in a terminal ends with it, unless it was begun with nohup.
	bound := isTerminal(a.stderr) && !signal.Ignored(syscall.SIGHUP)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return hangups{c, func() bool { return bound && !isTerminal(a.stderr) }}, func() { signal.Stop(c) }
}
