package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts this program on the path as "tidemark", for scripts and for the
// tests that start, kill and restart it: a process of its own each time.
func TestMain(m *testing.M) {
	// Under the race detector each process would wait a second at its end, in case a
	// goroutine still has a race to report.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"tidemark": main, "settle": settle})
}

// long is set by CI: more rounds, more events.
var long = os.Getenv("TIDEMARK_LONG") == "1"

// settle is a command of scripts: it waits until everything stored by the server of
// TIDEMARK_SERVER is applied.
func settle() {
	if err := awaitApplied(os.Getenv("TIDEMARK_SERVER"), patience); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// program is the path of the test's own copy of the program.
func programPath(t testing.TB) string {
	t.Helper()
	for _, dir := range strings.Split(os.Getenv("PATH"), string(os.PathListSeparator)) {
		if path := dir + "/tidemark"; strings.Contains(dir, "testscript-main") {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	t.Fatal("the program is not on the path: TestMain should have put it there")
	return ""
}

// testClient is for the tests' own requests: many connections, kept open.
var testClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
