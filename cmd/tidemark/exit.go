package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes: the same meaning in every command.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitDifferent   = 3
	exitNotAllowed  = 4
	exitUnreachable = 5
	exitIntegrity   = 6
)

const exitCodes = `Every command ends with one of these, and they mean the same everywhere:

  0  ok
  1  error: it was tried and did not work
  2  usage: the command line or the configuration is wrong, and nothing was tried
  3  different or unhealthy: what was compared differs, or what was asked about is not well
  4  not allowed: the server wants an API key, or one that may do more
  5  unreachable: no server answers at that address
  6  integrity failure: the log or a projection is damaged
`

func newExitCodes() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodes}
}

// failure is an error with the exit code it ends in and, for people, what to type next.
type failure struct {
	err  error
	code int
	next string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(err error, next string) error { return &failure{err, exitUsage, next} }

// errUnhealthy ends a command with exit code 3 after it printed why.
var errUnhealthy = &failure{errors.New(""), exitDifferent, ""}

// report tells an error on stderr, with the way out of it, and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{err: err, code: exitError}
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(stderr, "tidemark: "+inertLines(msg))
	}
	if f.next != "" {
		fmt.Fprintln(stderr, "  "+strings.ReplaceAll(inertLines(f.next), "\n", "\n  "))
	}
	return f.code
}
