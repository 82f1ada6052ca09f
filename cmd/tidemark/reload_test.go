package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemark-dev/tidemark/api"
)

// TestSecretsAreRotatedUnderLoad changes secrets while senders send, and none of them is refused.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	const second = "second-secret-0123456789"
	r := startReloadable(t, false, map[string]string{"tidemark.yaml": configWith(testSecret, "")})
	var secret atomic.Pointer[string]
	use := func(s string) { secret.Store(&s) }
	use(testSecret)
	var sent [4]atomic.Int64 // by each sender
	var refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for n := range sent {
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Appendf(nil, `{"id":"%d/%d","event_type":"sync.succeeded","connection_id":"c%d"}`, n, i, n)
				if status, err := postHMAC(r.url+"/in/makini", makiniHeader, *secret.Load(), body); err != nil || status != http.StatusOK {
					t.Errorf("answered %d, %v", status, err)
					refused.Add(1)
					return
				}
				sent[n].Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		// Of each: what one has on its way may be signed with the former secret while the others get on.
		for n := range sent {
			until := sent[n].Load() + 20
			r.until("20 more are taken", func() bool { return sent[n].Load() >= until || refused.Load() > 0 })
		}
	}
	more()
	for range 3 {
		r.write("tidemark.yaml", configWith(testSecret+", "+second, ""))
		r.hup("is in force", "makini (secrets)")
		more()
		use(second)
		more()
		r.write("tidemark.yaml", configWith(second, ""))
		r.hup("is in force", "makini (secrets)")
		more()
		if got := r.post("makini", makiniHeader, testSecret, `{}`); got != http.StatusUnauthorized {
			t.Errorf("the former secret is answered %d", got)
		}
		r.write("tidemark.yaml", configWith(testSecret+", "+second, ""))
		r.hup("is in force", "makini (secrets)")
		use(testSecret)
		more()
		r.write("tidemark.yaml", configWith(testSecret, ""))
		r.hup("is in force", "makini (secrets)")
		more()
	}
	stop()
	senders.Wait()
	if strings.Contains(r.stderr(), second) || strings.Contains(r.stderr(), testSecret) {
		t.Error("a secret is in the log")
	}
	if got := r.metric(`tidemark_reload_total{result="applied"}`); got != "12" {
		t.Errorf("counted %s", got)
	}
	if err := awaitApplied(r.url, patience); err != nil {
		t.Fatal(err)
	}
	var e api.Page[api.Entry]
	if err := getJSON(r.url+"/v1/connections/makini/c0/events?limit=1", &e); err != nil || len(e.Items) != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	if j := r.rebuilds().Job; j != nil {
		t.Errorf("a rebuild was begun: %+v", j)
	}
}

// TestChangedFilesAreReadAnew changes files without telling the server.
func TestChangedFilesAreReadAnew(t *testing.T) {
	r := startReloadable(t, true, map[string]string{"tidemark.yaml": configWith(testSecret, ""), "other.secret": "other-secret\n"})
	r.event("conn_1", "connection.created")
	if got := r.post("other", makiniHeader, "other-secret", `{}`); got != http.StatusNotFound {
		t.Fatalf("a source that is not configured is answered %d", got)
	}

	// A source more, whose secret stands in a file.
	before := len(r.stderr())
	r.write("tidemark.yaml", configWith(testSecret, "  other: {provider: makini, secrets: ['file:other.secret'], max_body: 100}\n"))
	r.said(before, "is in force", `"added":["other"]`)
	long := `{"event_type":"connection.created","connection_id":"conn_2","more":"` + strings.Repeat("x", 100) + `"}`
	if got := r.post("other", makiniHeader, "other-secret", long); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large is answered %d", got)
	}
	before = len(r.stderr())
	r.write("tidemark.yaml", configWith(testSecret, "  other: {provider: makini, secrets: ['file:other.secret'], headers: [x-more]}\n"))
	r.said(before, "is in force", "other (headers, max_body)")
	if got := r.post("other", makiniHeader, "other-secret", long); got != http.StatusOK {
		t.Errorf("an event of the new source is answered %d", got)
	}
	before = len(r.stderr())
	if err := os.WriteFile(filepath.Join(r.dir, "other.secret"), []byte("changed-secret\n"), 0o600); err != nil { // in place
		t.Fatal(err)
	}
	r.said(before, "is in force", "other (secrets)")
	if got := r.post("other", makiniHeader, "other-secret", long); got != http.StatusUnauthorized {
		t.Errorf("the former secret is answered %d", got)
	}
	if got := r.post("other", makiniHeader, "changed-secret", long); got != http.StatusOK {
		t.Errorf("the new secret is answered %d", got)
	}

	// Gone, it is not known any more, and what it had stays.
	before = len(r.stderr())
	r.write("tidemark.yaml", configWith(testSecret, "listen: 127.0.0.1:1\nlimits: {waiting: 99}\nlog: {level: warn}\n"))
	r.said(before, "answered 404 from now on", `"sources":["other"]`)
	r.said(before, "needs a restart", `"keys":["limits.waiting"]`) // --listen goes over the file
	if got := r.post("other", makiniHeader, "changed-secret", long); got != http.StatusNotFound {
		t.Errorf("a source that is gone is answered %d", got)
	}
	if err := awaitApplied(r.url, patience); err != nil {
		t.Fatal(err)
	}
	var s api.State
	if err := getJSON(r.url+"/v1/connections/other/conn_2", &s); err != nil || s.Counts.Events != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if got := r.ready(); got != "warning: needs a restart: limits.waiting" {
		t.Errorf("/readyz says %q", got)
	}
	if got := r.metric("tidemark_reload_needs_restart"); got != "1" {
		t.Errorf("%s need a restart", got)
	}

	// What changes nothing is not talked about, and what needed a restart needs none any more.
	before = len(r.stderr())
	r.write("tidemark.yaml", configWith(testSecret, "# a comment\nlog: {level: warn}\n"))
	r.until("no restart is needed", func() bool { return r.ready() == "ok" })
	if got := r.stderr()[before:]; got != "" {
		t.Errorf("a comment makes it say %s", got)
	}
	if j := r.rebuilds().Job; j != nil {
		t.Errorf("a rebuild was begun: %+v", j)
	}
}

// TestAWrongFileLeavesEverything tells what is wrong, where an operator looks, and goes on.
func TestAWrongFileLeavesEverything(t *testing.T) {
	const mine = "extends: makini\nname: mine\n"
	good := configWith(testSecret, "  mine: {provider: ./mine.yaml, secrets: [s]}\n")
	r := startReloadable(t, true, map[string]string{"tidemark.yaml": good, "mine.yaml": mine})
	for _, c := range []struct{ name, file, text, why string }{
		{"an unknown key", "tidemark.yaml", configWith(testSecret, "  mine: {provider: ./mine.yaml, secrts: [s]}\n"), `tidemark.yaml:4:33: sources.mine: unknown key \"secrts\"; did you mean \"secrets\"?`},
		{"no YAML", "tidemark.yaml", "sources: [", "tidemark.yaml:2:1: this is not YAML"},
		{"an empty list", "tidemark.yaml", "data_dir: data\nsources: {}\n", "tidemark.yaml:2:10: sources: no source"},
		{"a secret that is not there", "tidemark.yaml", configWith("file:none", ""), "tidemark.yaml:3:40: sources.makini.secrets: read the value: open none"},
		{"a definition that is not there", "tidemark.yaml", configWith(testSecret, "  mine: {provider: ./none.yaml, secrets: [s]}\n"), "tidemark.yaml:4: source mine: reading a provider definition: open none.yaml"},
		{"a definition with a mistake", "mine.yaml", mine + "mapping:\n  tipe: body.t\n", `mine.yaml:4:3: mapping: unknown key \"tipe\"; did you mean \"type\"?`},
		{"an expression that is none", "mine.yaml", mine + "mapping:\n  connection: body.a +\n", "mine.yaml:4:"},
	} {
		before := len(r.stderr())
		r.write(c.file, c.text)
		r.said(before, "everything stays as it was", c.why)
		if got := r.ready(); !strings.HasPrefix(got, "warning: what stands in the files is not in force: ") {
			t.Errorf("%s: /readyz says %q", c.name, got)
		}
		if got := r.metric("tidemark_reload_failing"); got != "1" {
			t.Errorf("%s: tidemark_reload_failing is %s", c.name, got)
		}
		r.event("conn_1", "connection.created")
		if got := r.post("mine", makiniHeader, "s", `{}`); got != http.StatusOK {
			t.Errorf("%s: a source with a definition of its own is answered %d", c.name, got)
		}
		// It is said once, and tried again all the same: what was missing may be another file.
		before = len(r.stderr())
		switch c.name {
		case "a secret that is not there":
			r.write("none", testSecret)
			r.said(before, "is in force", `"removed":["mine"]`)
		case "a definition that is not there":
			r.write("none.yaml", mine)
			r.said(before, "is in force", "mine (provider)")
		}
		before = len(r.stderr())
		r.write("tidemark.yaml", good)
		r.write("mine.yaml", mine)
		r.until(c.name+" is mended", func() bool { return r.ready() == "ok" })
		r.said(before, "the configuration was read anew")
		if got := r.metric("tidemark_reload_failing"); got != "0" {
			t.Errorf("%s, mended: tidemark_reload_failing is %s", c.name, got)
		}
	}
	// A configuration that is gone is no wish for the built-in one.
	before := len(r.stderr())
	if err := os.Remove(filepath.Join(r.dir, "tidemark.yaml")); err != nil {
		t.Fatal(err)
	}
	r.said(before, "everything stays as it was", "tidemark.yaml is gone")
	r.event("conn_1", "connection.created")
	r.hup("everything stays as it was", "tidemark.yaml is gone")
	r.write("tidemark.yaml", good)
	r.until("it is back", func() bool { return r.ready() == "ok" })
	r.hup("nothing that can be changed while it runs has changed")
	if got := r.metric("tidemark_reload_last_success_timestamp_seconds"); got == "" {
		t.Error("when it was read last is not said")
	}
	if got := strings.Count(r.stderr(), `unknown key \"secrts\"`); got != 1 {
		t.Errorf("a mistake is told %d times", got)
	}
	if code, _ := r.terminate(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

// A configuration that is read from a pipe cannot be read again: the pipe is empty, and an
// empty file is a valid one.
func TestAPipeIsNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write.WriteString(configWith(testSecret, "")); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config")
	if err := os.Symlink(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), read.Fd()), path); err != nil {
		t.Fatal(err)
	}
	r := &reloadable{TB: t, dir: dir, server: mustStart(t, dir, "-c", path, "--data-dir", filepath.Join(dir, "data"), "--log-format", "json")}
	r.hup("everything stays as it was", "is no regular file", "needs a restart")
	r.event("conn_1", "connection.created")
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
}
