// Tidemark tells the state of every integration connection, from the webhooks
// that its provider sends: late, twice, out of order, or with the power cut in the middle.
//
// The command is both the server (tidemark serve) and the client of a running
// one (tidemark send, show, history, …). serve.go reads top to bottom as the whole
// program; every other command has a file of its own.
//
// What holds for all of them: stdout is data and stderr is talk, so that a pipe
// carries nothing but data; an exit code means the same everywhere (tidemark help
// exit-codes); what came from outside cannot steer a terminal or a spreadsheet. Only this
// package reads flags, the environment, signals and the real clock.
package main

import (
	"context"
	"io"
	"os"
	"time"
)

func main() {
	a := &app{
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.LookupEnv,
		now:     time.Now,
		self:    selfName(os.Args[0]),
	}
	os.Exit(a.run(context.Background(), os.Args[1:]))
}

// app is what commands share: the outside world, and the flags that all of them know.
type app struct {
	stdout, stderr io.Writer
	environ        func(string) (string, bool)
	now            func() time.Time
	// self is what to type to run this program again.
	self string

	server string
	key    string
	format format
}

// run is the whole command line: it returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return report(a.stderr, root.ExecuteContext(ctx))
}

// env returns an environment variable, or what stands in for one that is not set.
func (a *app) env(name, otherwise string) string {
	if v, ok := a.environ(name); ok && v != "" {
		return v
	}
	return otherwise
}
