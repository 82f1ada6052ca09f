package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: the commands as a person types them, with
// what they print, how they end, and servers that are started and stopped on the way.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("HOME", env.WorkDir) // nothing of the machine's own user is read
			env.Setenv("TIDEMARK_SERVER", "http://127.0.0.1:1")
			running := &servers{}
			env.Values[serversKey{}] = running
			env.Defer(running.killAll)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve":     cmdServe,
			"stopserve": cmdStopServe,
			"exits":     cmdExits,
			"replace":   cmdReplace,
		},
	})
}

type serversKey struct{}

type servers struct{ all []*server }

func (s *servers) killAll() {
	for _, one := range s.all {
		one.kill()
	}
}

// cmdServe starts a server, on a free port unless the arguments or the
// configuration name one, and makes it the one that commands ask. "-n" before the
// arguments leaves the address to the configuration.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("to see serve fail: exits CODE tidemark serve")
	}
	if len(args) > 0 && args[0] == "-n" {
		args = args[1:]
	} else if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	environ := append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	for _, name := range []string{"MAKINI_SECRET"} {
		if v := ts.Getenv(name); v != "" {
			environ = append(environ, name+"="+v)
		}
	}
	path, err := exec.LookPath("tidemark")
	ts.Check(err)
	s, err := startServer(path, ts.MkAbs("."), environ, args...)
	ts.Check(err)
	running := ts.Value(serversKey{}).(*servers)
	running.all = append(running.all, s)
	ts.Setenv("TIDEMARK_SERVER", s.url)
}

// cmdStopServe sends SIGTERM to the server that was started last, sees that it
// ends with 0, and writes what it said to serve.err.
func cmdStopServe(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.Value(serversKey{}).(*servers)
	if neg || len(args) > 0 || len(running.all) == 0 {
		ts.Fatalf("usage: stopserve, after serve")
	}
	s := running.all[len(running.all)-1]
	running.all = running.all[:len(running.all)-1]
	code, took := s.terminate()
	ts.Check(os.WriteFile(ts.MkAbs("serve.err"), []byte(s.stderr()), 0o600))
	if code != 0 {
		ts.Fatalf("SIGTERM: serve ended with %d after %s: %s", code, took, s.stderr())
	}
}

// cmdExits runs a command that has to end with that exit code: exits CODE COMMAND ARG…
// stdout and stderr look at what it printed.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// cmdReplace changes a text in a file: replace FILE OLD NEW. $NAME in NEW is expanded by the script.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	old := ts.ReadFile(args[0])
	if !strings.Contains(old, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(old, args[1], args[2])), 0o600))
}
