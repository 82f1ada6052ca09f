package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// reloadable is a server whose files a test changes.
type reloadable struct {
	testing.TB
	*server
	dir  string
	sent int
}

// startReloadable starts a server with a tidemark.yaml that looks at its files all the
// time, or (hardly) never, where a test sends signals.
func startReloadable(t testing.TB, looks bool, files map[string]string) *reloadable {
	t.Helper()
	r := &reloadable{TB: t, dir: t.TempDir()}
	for name, text := range files {
		r.write(name, text)
	}
	every := "1h"
	if looks {
		every = "10ms"
	}
	r.server = mustStart(t, r.dir, "--look-every", every, "--log-format", "json")
	return r
}

// write replaces a file the way most editors do: a new one takes its name.
func (r *reloadable) write(name, text string) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		r.Fatal(err)
	}
}

// until waits until a condition holds.
func (r *reloadable) until(what string, holds func() bool) {
	r.Helper()
	limit := time.After(time.Minute)
	for !holds() {
		select {
		case <-limit:
			r.Fatalf("never: %s; the server said: %s", what, r.stderr())
		case <-r.ended:
			r.Fatalf("the server has ended: %s", r.stderr())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// said waits until a line of the log holds all the words, after what was said before.
func (r *reloadable) said(before int, words ...string) string {
	r.Helper()
	var found string
	r.until(fmt.Sprintf("a line with %q", words), func() bool {
		for _, line := range strings.Split(r.stderr()[before:], "\n") {
			all := true
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				found = line
				return true
			}
		}
		return false
	})
	return found
}

// hup sends SIGHUP and waits for an answer that holds the words.
func (r *reloadable) hup(words ...string) string {
	r.Helper()
	before := len(r.stderr())
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		r.Fatal(err)
	}
	return r.said(before, words...)
}

// post sends a webhook to a source, signed in a header, and returns the status.
func (r *reloadable) post(source, header, secret, body string) int {
	status, err := postHMAC(r.url+"/in/"+source, header, secret, []byte(body))
	if err != nil {
		r.Error(err)
	}
	return status
}

func postHMAC(url, header, secret string, body []byte) (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	req.Header.Set(header, hex.EncodeToString(mac.Sum(nil)))
	resp, err := testClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

const makiniHeader = "X-Makini-Signature"

// event sends one more event of a connection to the source makini.
func (r *reloadable) event(connection, kind string) {
	r.Helper()
	r.sent++
	body := fmt.Sprintf(`{"id":"evt_%d","event_type":%q,"timestamp":"2026-03-01T00:00:%02dZ","connection_id":%q}`, r.sent, kind, r.sent, connection)
	if got := r.post("makini", makiniHeader, testSecret, body); got != http.StatusOK {
		r.Fatalf("an event is answered %d", got)
	}
}

// lifecycle is what a connection's lifecycle is once all is applied.
func (r *reloadable) lifecycle(connection string) string {
	r.Helper()
	if err := awaitApplied(r.url, time.Minute); err != nil {
		r.Fatal(err)
	}
	var s api.State
	if err := getJSON(r.url+"/v1/connections/makini/"+connection, &s); err != nil {
		r.Fatal(err)
	}
	return s.Lifecycle.Value
}

func (r *reloadable) metric(name string) string {
	r.Helper()
	resp, err := testClient.Get(r.url + "/metrics")
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ready is what /readyz says of the configuration.
func (r *reloadable) ready() string {
	r.Helper()
	var h api.Health
	if err := getJSON(r.url+"/readyz", &h); err != nil {
		r.Fatal(err)
	}
	return h.Checks["configuration"]
}

func configWith(secrets, more string) string {
	return "data_dir: data\nsources:\n  makini: {provider: makini, secrets: [" + secrets + "]}\n" + more
}

// TestSecretsAreRotatedUnderLoad changes secrets while senders send, and none of them is refused.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	const second = "second-secret-0123456789"
	r := startReloadable(t, false, map[string]string{"tidemark.yaml": configWith(testSecret, "")})
	var secret atomic.Pointer[string]
	use := func(s string) { secret.Store(&s) }
	use(testSecret)
	var sent, refused atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for n := range 4 {
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Appendf(nil, `{"id":"%d/%d","event_type":"sync.succeeded","connection_id":"c%d"}`, n, i, n)
				if status, err := postHMAC(r.url+"/in/makini", makiniHeader, *secret.Load(), body); err != nil || status != http.StatusOK {
					t.Errorf("answered %d, %v", status, err)
					refused.Add(1)
					return
				}
				sent.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		until := sent.Load() + 200
		r.until("200 more are taken", func() bool { return sent.Load() >= until || refused.Load() > 0 })
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
	if err := awaitApplied(r.url, time.Minute); err != nil {
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

func (r *reloadable) rebuilds() api.RebuildStatus {
	r.Helper()
	var s api.RebuildStatus
	if err := getJSON(r.url+"/v1/rebuilds", &s); err != nil {
		r.Fatal(err)
	}
	return s
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
	if err := awaitApplied(r.url, time.Minute); err != nil {
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

// mistaken is makini with a bug: it takes a connection that is disconnected for a paused one.
func mistaken(t testing.TB) (buggy, right string) {
	t.Helper()
	src, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	right = string(src)
	buggy = strings.Replace(right, "{lifecycle: disconnected}", "{lifecycle: paused}", 1)
	if buggy == right {
		t.Fatal("the definition no longer has the rule that this test changes")
	}
	return buggy, right
}

// TestAMappingIsMended: the log says what changed, and what serves is what a fresh build
// of the log makes of it, before, meanwhile and after.
func TestAMappingIsMended(t *testing.T) {
	buggy, right := mistaken(t)
	config := func(policy, more string) string {
		return "data_dir: data\nrebuild: {on_definition_change: " + policy + "}\nsources:\n  makini:\n    provider: {extends: ./mine.yaml, name: makini}\n    secrets: [" + testSecret + "]\n" + more
	}
	r := startReloadable(t, true, map[string]string{"tidemark.yaml": config("off", ""), "mine.yaml": buggy})
	r.event("conn_1", "connection.created")
	r.event("conn_1", "connection.disconnected")
	if got := r.lifecycle("conn_1"); got != "paused" {
		t.Fatalf("the bug is not there: %s", got)
	}

	// Asked for nothing, it goes on by what serves, and says what to type.
	before := len(r.stderr())
	r.write("mine.yaml", right)
	was, err := providers.Parse("was", []byte(buggy))
	if err != nil {
		t.Fatal(err)
	}
	is, err := providers.Parse("is", []byte(right))
	if err != nil {
		t.Fatal(err)
	}
	r.said(before, "a mapping has changed", `"definition":"makini"`, `"from":"`+was.Digest()+`"`, `"to":"`+is.Digest()+`"`, `"sources":["makini"]`)
	r.said(before, "go on serving, and read new events by them", "to make new ones: tidemark rebuild")
	r.said(before, "is in force", "makini (mapping)")
	r.event("conn_2", "connection.disconnected")
	if got := r.lifecycle("conn_2"); got != "paused" {
		t.Errorf("a new event is read by other definitions than those that serve: %s", got)
	}
	if v := verified(t, r.url); !v.Equal || len(v.Outdated) > 0 {
		t.Errorf("what serves is not what its definitions make of the log: %s", v.First)
	}
	if s := r.rebuilds(); len(s.Outdated) != 1 || s.Outdated[0] != "makini" {
		t.Errorf("%+v", s)
	}

	// The policy is one of the things that can be changed.
	before = len(r.stderr())
	r.write("tidemark.yaml", config("review", ""))
	r.said(before, "wait for review: tidemark rebuild status")
	j := awaitRebuild(t, r.url, generations.Review)
	if j.Report.Changed != 2 {
		t.Errorf("report %+v", j.Report)
	}
	postJSON(t, r.url+"/v1/rebuilds/last/promote", struct{}{}, &j)
	awaitRebuild(t, r.url, generations.Promoted)
	r.event("conn_3", "connection.disconnected")
	for _, c := range []string{"conn_1", "conn_2", "conn_3"} {
		if got := r.lifecycle(c); got != "disconnected" {
			t.Errorf("%s is %s", c, got)
		}
	}
	if v := verified(t, r.url); !v.Equal || len(v.Outdated) > 0 {
		t.Errorf("what serves is not what its definitions make of the log: %s", v.First)
	}

	// A signature is no mapping: it counts at once, and nothing is made anew.
	before = len(r.stderr())
	generation := r.rebuilds().Serving
	r.write("mine.yaml", strings.ReplaceAll(right, makiniHeader, "X-Other-Signature"))
	r.said(before, "is in force", "makini (definition, but for its mapping)")
	body := `{"id":"other","event_type":"connection.created","connection_id":"conn_4"}`
	if got := r.post("makini", makiniHeader, testSecret, body); got != http.StatusUnauthorized {
		t.Errorf("the former header is answered %d", got)
	}
	if got := r.post("makini", "X-Other-Signature", testSecret, body); got != http.StatusOK {
		t.Errorf("the new header is answered %d", got)
	}
	if s := r.rebuilds(); s.Serving != generation || len(s.Outdated) != 0 || s.Job.Request.Verify == false {
		t.Errorf("%+v, %+v", s, s.Job)
	}

	// The default begins at once. A source that comes with it loses nothing.
	before = len(r.stderr())
	r.write("tidemark.yaml", config("rebuild", "  second: {provider: makini, secrets: [s]}\n"))
	r.said(before, "is in force", `"added":["second"]`)
	if got := r.post("second", makiniHeader, "s", `{"event_type":"connection.created","connection_id":"conn_1"}`); got != http.StatusOK {
		t.Errorf("the new source is answered %d", got)
	}
	r.write("mine.yaml", buggy)
	r.until("the rebuild takes over", func() bool {
		s := r.rebuilds()
		return s.Serving != generation && len(s.Outdated) == 0 && s.Job.State == generations.Promoted
	})
	if got := r.lifecycle("conn_3"); got != "paused" {
		t.Errorf("read by the definition of before: %s", got)
	}
	if v := verified(t, r.url); !v.Equal {
		t.Errorf("what serves is not what its definitions make of the log: %s", v.First)
	}
	var s api.State
	if err := getJSON(r.url+"/v1/connections/second/conn_1", &s); err != nil {
		t.Error(err)
	}
	// And a start finds nothing to do.
	if code, _ := r.terminate(); code != 0 {
		t.Errorf("it ends with %d: %s", code, r.stderr())
	}
	r.server = mustStart(t, r.dir, "--log-format", "json")
	if st := r.rebuilds(); len(st.Outdated) != 0 {
		t.Errorf("after a restart: %+v", st)
	}
}

// Headers that the serving generation reads are kept as long as it does, also where
// the definition in force asks for others.
func TestHeadersOfTheFormerMappingAreKept(t *testing.T) {
	definition := func(typ string) string {
		return "name: kinds\nsignature: {scheme: none}\nmapping:\n  type: " + typ + "\n  connection: body.c\n  rules:\n    - {name: up, type: up, set: {connectivity: online}}\n"
	}
	r := startReloadable(t, true, map[string]string{
		"tidemark.yaml": "data_dir: data\nrebuild: {on_definition_change: off}\nsources: {kinds: {provider: ./kinds.yaml}}\n",
		"kinds.yaml":    definition(`headers["x-kind"]`),
	})
	send := func(c string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, r.url+"/in/kinds", strings.NewReader(`{"c":"`+c+`","kind":"up"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Kind", "up")
		resp, err := testClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answered %d, %v", resp.StatusCode, err)
		}
	}
	kept := func(c string) int {
		t.Helper()
		if err := awaitApplied(r.url, time.Minute); err != nil {
			t.Fatal(err)
		}
		var page api.Page[api.Entry]
		if err := getJSON(r.url+"/v1/connections/kinds/"+c+"/events", &page); err != nil || len(page.Items) == 0 {
			t.Fatalf("%+v, %v", page, err)
		}
		var e api.Event
		if err := getJSON(r.url+"/v1/events/"+page.Items[0].Event, &e); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, h := range e.Headers {
			if strings.EqualFold(h.Name, "x-kind") {
				n++
			}
		}
		return n
	}
	send("a")
	before := len(r.stderr())
	r.write("kinds.yaml", definition("body.kind"))
	r.said(before, "is in force", "kinds (mapping)")
	send("b")
	if got := kept("b"); got != 1 {
		t.Errorf("x-kind is kept %d times while the former mapping reads it", got)
	}
	var j api.Rebuild
	postJSON(t, r.url+"/v1/rebuilds", api.RebuildRequest{}, &j)
	awaitRebuild(t, r.url, generations.Promoted)
	r.until("x-kind is not kept any more", func() bool { send("c"); return kept("c") == 0 })
	if v := verified(t, r.url); !v.Equal {
		t.Errorf("what serves is not what its definitions make of the log: %s", v.First)
	}
}
