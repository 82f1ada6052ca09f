package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// format is how a command prints its data: the value of -o.
type format string

const (
	formatTable format = "" // for people
	formatJSON  format = "json"
	formatJSONL format = "jsonl"
	formatCSV   format = "csv"
)

var formatNames = []string{"table", "json", "jsonl", "csv"}

// String implements pflag.Value.
func (f *format) String() string {
	if *f == formatTable {
		return "table"
	}
	return string(*f)
}

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch format(s) {
	case formatJSON, formatJSONL, formatCSV:
		*f = format(s)
	case "table":
		*f = formatTable
	default:
		return fmt.Errorf("use %s", strings.Join(formatNames, ", "))
	}
	return nil
}

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// tint is the colour of a cell. Every sequence has the same length, so that a
// column stays aligned whatever its colours.
type tint string

const (
	plain  tint = "\x1b[39m"
	red    tint = "\x1b[31m"
	green  tint = "\x1b[32m"
	yellow tint = "\x1b[33m"
	grey   tint = "\x1b[90m"
)

func (t tint) paint(s string) string { return string(t) + s + "\x1b[0m" }

// colours reports whether stdout is a terminal whose owner did not opt out (no-color.org).
func (a *app) colours() bool {
	_, optedOut := a.environ("NO_COLOR")
	return !optedOut && a.env("TERM", "") != "dumb" && isTerminal(a.stdout)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// healthTint is the colour of a health or a facet's value: red asks somebody to act.
func healthTint(word string) tint {
	switch word {
	case "action_required", "offline", "failing", "required", "failed", "open":
		return red
	case "expiring", "paused", "cancelled":
		return yellow
	case "healthy", "online", "ok", "succeeded", "active":
		return green
	case "unknown", "disconnected", "none":
		return grey
	}
	return plain
}
