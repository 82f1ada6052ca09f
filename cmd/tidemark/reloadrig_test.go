package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
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
	limit := time.After(patience)
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
	if err := awaitApplied(r.url, patience); err != nil {
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

func (r *reloadable) rebuilds() api.RebuildStatus {
	r.Helper()
	var s api.RebuildStatus
	if err := getJSON(r.url+"/v1/rebuilds", &s); err != nil {
		r.Fatal(err)
	}
	return s
}
