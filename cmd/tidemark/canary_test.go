package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tidemark-dev/tidemark/api"
)

// A canary stands in each kind of marked field, and one in a field that is not
// marked, which shows that what is searched would show it.
const (
	canaryShown    = "CANARY-a-seen"
	canaryHidden   = "CANARY-b-sensitive"
	canaryRedacted = "CANARY-c-redacted"
)

const canaryDefinition = `
name: canary
signature: {scheme: none}
sensitive: [body.email, data.title, 'body.people[*].name', body.deep, 'body["odd name"]']
redact: [data.account_token, 'body.people[*].phone']
mapping:
  id: body.id
  type: body.type
  connection: [body.connection, 'body["em" + "ail"]']
  occurred_at: body.at
  data: body.data
  form_field: payload
  rules:
    - name: failed
      type: failed
      when: data.title.contains("CANARY") && data.account_token.startsWith("redacted:")
      set: {sync: failed, error: open, auth: required, connectivity: offline}
      code: data.code
      reason: '"for " + body["em" + "ail"]'
      message: 'body.people.map(p, p.name).join(", ")'
      request_id: '"%s".format([body["de" + "ep"]])'
    - name: timed
      type: timed
      when: timestamp(body.email) > timestamp(0)
      set: {}
    - name: fine
      type: fine
      set: {sync: succeeded, error: none, auth: ok, connectivity: online}
      code: data.code
`

// prying is the same mapping by somebody who marked nothing.
const pryingDefinition = `
name: prying
signature: {scheme: none}
mapping:
  type: body.type
  connection: body.connection
  rules:
    - {name: pry, set: {error: open}, reason: body.email, code: body.data.code, message: body.data.title, request_id: body.deep}
`

// canaryBody is a payload with canaries in every marked field.
func canaryBody(id, kind, at, connection string, more string) string {
	body := fmt.Sprintf(`{"id":%q,"type":%q,"at":%q,"email":"%[5]s@example.com","deep":{"a":["%[5]s"]},"odd name":"%[5]s",`+
		`"people":[{"name":"%[5]s","phone":"%[6]s"},{"name":"é%[5]s","phone":7}],"data":{"title":"%[5]s","account_token":"%[6]s","code":"%[7]s"}%[8]s`,
		id, kind, at, connection, canaryHidden, canaryRedacted, canaryShown, more)
	if connection != "" {
		body += fmt.Sprintf(`,"connection":%q`, connection)
	}
	return body + "}"
}

// collector keeps all that was shown, by who showed it.
type collector struct {
	t    *testing.T
	seen int // how often the canary that may be seen was
}

// look searches what was shown. readable says that it has to show the canary that may be seen.
func (c *collector) look(who string, shown []byte, readable bool) {
	c.t.Helper()
	for _, canary := range []string{canaryHidden, canaryRedacted} {
		if i := bytes.Index(shown, []byte(canary)); i >= 0 {
			c.t.Errorf("%s shows %s: …%s…", who, canary, shown[max(0, i-100):min(len(shown), i+100)])
		}
	}
	found := bytes.Contains(shown, []byte(canaryShown))
	if found {
		c.seen++
	}
	if readable && !found {
		c.t.Errorf("%s does not even show what it may: %.300s", who, shown)
	}
}

// TestMarkedFieldsAreShownNowhere posts canaries in all marked fields, in bodies of all kinds,
// and searches every answer, export, command, log line and metric for them; and the
// data directory for those that are redacted.
func TestMarkedFieldsAreShownNowhere(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"canary.yaml": canaryDefinition, "prying.yaml": pryingDefinition,
		"quiet.yaml":    "name: quiet\nsignature: {scheme: none}\nsensitive: [body.deep]\nmapping: {type: body.type, connection: body.connection}\n",
		"tidemark.yaml": "data_dir: data\nlog: {level: debug, format: json}\nsources: {canary: {provider: ./canary.yaml}, quiet: {provider: ./quiet.yaml}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustStart(t, dir)
	c := &collector{t: t}
	ids := postCanaries(t, s.url+"/in/canary")
	// Where nothing is redacted a body that cannot be read is stored as it came, and shown nowhere.
	for _, body := range []string{canaryHidden, `{"type":"a","deep":{"` + canaryHidden + `":1,"` + canaryHidden + `":2}}`, `{"deep":"` + canaryHidden} {
		ids[body] = postCanary(t, s.url+"/in/quiet", []byte(body))
	}
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	checkCanaries(t, s.url, ids)
	if fi, err := os.Stat(filepath.Join(dir, "data", "redact.key")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", fi, err)
	}

	c.commands(dir, s.url)
	c.endpoints(s.url, ids)
	if code, _ := s.terminate(); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	c.look("the log", []byte(s.stderr()), false)
	if c.seen < 20 {
		t.Errorf("the canary that may be seen was in %d of all that was searched", c.seen)
	}
	kept := 0
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(canaryRedacted)) {
			t.Errorf("%s holds what was to be redacted", path)
		}
		if bytes.Contains(b, []byte(canaryHidden)) {
			kept++
			if strings.Contains(path, "projections") {
				t.Errorf("%s holds what is sensitive", path)
			}
		}
		return err
	})
	if err != nil || kept == 0 {
		t.Errorf("sensitive fields are in %d files, %v: the log has to keep them", kept, err)
	}
}

// TestMarkedLater: a definition that marks a field of which texts were shown takes them out of
// everything, the report on what it changed included; and what is in the log in clear is masked.
func TestMarkedLater(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tidemark.yaml", "data_dir: data\nsources: {canary: {provider: ./mine.yaml}}\n")
	write("mine.yaml", pryingDefinition)
	s := mustStart(t, dir)
	ids := map[string]string{}
	for _, connection := range []string{"c1", "c2"} {
		ids[connection] = postCanary(t, s.url+"/in/canary", []byte(canaryBody("d1", "failed", "2026-03-01T12:00:00Z", connection, "")))
	}
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	before := (&collector{t: t}).fetch(s.url+"/v1/connections/canary/c1", "application/json")
	if !bytes.Contains(before, []byte(canaryHidden)) {
		t.Fatalf("nothing is shown that could be hidden: %s", before)
	}
	s.terminate()
	marking := strings.Replace(canaryDefinition, ` && data.account_token.startsWith("redacted:")`, "", 1)
	for name, text := range map[string]string{"mine.yaml": marking, "canary.yaml": marking, "prying.yaml": pryingDefinition} {
		write(name, text)
	}
	s = mustStart(t, dir)
	deadline := time.After(patience)
	for {
		var j api.Rebuild
		if err := getJSON(s.url+"/v1/rebuilds/last", &j); err == nil && j.State == "promoted" {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the changed definition begins no rebuild, or it does not end: " + s.stderr())
		case <-time.After(10 * time.Millisecond):
		}
	}
	c := &collector{t: t}
	reports, err := filepath.Glob(filepath.Join(dir, "data", "projections", "reports", "*"))
	if err != nil || len(reports) == 0 {
		t.Fatalf("reports %v, %v", reports, err)
	}
	changed := false
	for _, path := range reports {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed = changed || bytes.Contains(b, []byte(`"reason":"[masked]"`))
		c.look(path, b, false)
	}
	if !changed {
		t.Error("no report says that a text changed")
	}
	c.commands(dir, s.url)
	c.endpoints(s.url, ids)
	if code, _ := s.terminate(); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	c.look("the log", []byte(s.stderr()), false)
}

// postCanaries posts the payloads and returns their events by name.
func postCanaries(t *testing.T, url string) map[string]string {
	t.Helper()
	zipped := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, s); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := canaryBody("d1", "failed", "2026-03-01T12:00:00Z", "c1", "")
	late := canaryBody("d2", "fine", "2026-02-01T12:00:00Z", "c1", "")
	ids := map[string]string{}
	for _, p := range []struct {
		name   string
		body   []byte
		header []string
	}{
		{"placed", []byte(first), nil},
		{"late", zipped(late), []string{"Content-Encoding", "gzip"}},
		{"repeated", []byte(first), nil},
		{"conflict", []byte(canaryBody("d2", "fine", "2026-02-01T12:00:00Z", "c1", `,"n":2`)), nil},
		{"form", []byte("x=1&payload=" + percent(canaryBody("d3", "fine", "2026-03-02T12:00:00Z", "c2", ""))), []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"computed id", []byte(canaryBody("d4", "failed", "2026-03-02T12:00:00Z", "", "")), nil},
		{"failing condition", []byte(canaryBody("d5", "timed", "2026-03-02T12:00:00Z", "c3", "")), nil},
		{"bad time", []byte(canaryBody("d6", "fine", "yesterday", "c4", "")), nil},
		{"not JSON", []byte(first[:len(first)-1]), nil},
		{"name twice", []byte(strings.Replace(first, `{"a":[`, `{"`+canaryHidden+`":1,"`+canaryHidden+`":[`, 1)), nil},
		{"not gzip", []byte("email=" + canaryHidden + "&account_token=" + canaryRedacted), []string{"Content-Encoding", "gzip"}},
	} {
		ids[p.name] = postCanary(t, url, p.body, p.header...)
	}
	return ids
}

// postCanary posts one payload and returns its event.
func postCanary(t *testing.T, url string, body []byte, header ...string) string {
	t.Helper()
	req, err := http.NewRequest("POST", url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var v struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d, %v", body, resp.StatusCode, err)
	}
	return v.ID
}

// percent escapes every byte that a form may not hold as it is.
func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// checkCanaries sees that the events are what the test means them to be.
func checkCanaries(t *testing.T, url string, ids map[string]string) {
	t.Helper()
	for name, want := range map[string]struct{ fate, code string }{
		"placed": {api.FatePlaced, ""}, "late": {api.FatePlaced, ""}, "form": {api.FatePlaced, ""},
		"repeated": {api.FateDuplicate, ""}, "conflict": {api.FateDuplicate, ""},
		"computed id": {api.FateQuarantined, "sensitive"}, "failing condition": {api.FateQuarantined, "expression"},
		"bad time": {api.FateQuarantined, "bad_time"}, "not JSON": {api.FateQuarantined, "not_json"},
		"name twice": {api.FateQuarantined, "not_json"}, "not gzip": {api.FateQuarantined, "not_json"},
	} {
		var e api.Event
		if err := getJSON(url+"/v1/events/"+ids[name], &e); err != nil {
			t.Fatal(err)
		}
		code := ""
		if e.Quarantine != nil {
			code = e.Quarantine.Code
		}
		if e.Fate != want.fate || code != want.code || !slices.Contains(e.Flags, api.FlagRedacted) {
			t.Errorf("%s: fate %s, code %q, flags %v", name, e.Fate, code, e.Flags)
		}
		if conflict := slices.Contains(e.Flags, api.FlagConflict); conflict != (name == "conflict" || name == "late") {
			t.Errorf("%s: flags %v: equal bodies stay equal, and others do not", name, e.Flags)
		}
	}
}

// commands runs what the command line has, in every format.
func (c *collector) commands(dir, url string) {
	payload := filepath.Join(dir, "payload.json")
	if err := os.WriteFile(payload, []byte(canaryBody("d9", "failed", "2026-03-01T12:00:00Z", "c9", "")), 0o600); err != nil {
		c.t.Fatal(err)
	}
	program := programPath(c.t)
	for _, format := range []string{"table", "json", "jsonl", "csv"} {
		for _, line := range []struct {
			args     string
			readable bool
		}{
			{"connections", false}, {"show canary/c1", format == "json"}, {"history canary/c1", format == "json" || format == "csv"}, {"history canary/c1 --corrections", false},
			{"explain canary/c1", false}, {"corrections canary/c1", false}, {"diff canary/c1 --from 2026-02-15T00:00:00Z", false},
			{"stats canary/c1", false}, {"quarantine", false}, {"quarantine retry", false}, {"verify", false},
			{"rebuild --dry-run", false}, {"rebuild report", false}, {"rebuild status", false},
			{"rebuild --connection canary/c1", false}, {"rebuild --what-if prying.yaml --since 1 --source canary", format == "json"},
			{"providers test ./canary.yaml --body payload.json", format == "json"}, {"providers show ./canary.yaml", false}, {"config check", false},
		} {
			cmd := exec.Command(program, append(strings.Fields(line.args), "-o", format)...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "TIDEMARK_SERVER="+url)
			out, err := cmd.CombinedOutput()
			if err != nil && cmd.ProcessState.ExitCode() != 3 && cmd.ProcessState.ExitCode() != 2 {
				c.t.Errorf("%s -o %s: %v: %s", line.args, format, err, out)
			}
			c.look("tidemark "+line.args+" -o "+format, out, line.readable)
		}
	}
}

// endpoints asks for all that the API's own description lists.
func (c *collector) endpoints(url string, ids map[string]string) {
	var described struct {
		Paths map[string]map[string]any
	}
	if err := getJSON(url+"/openapi.json", &described); err != nil {
		c.t.Fatal(err)
	}
	for path := range described.Paths {
		if described.Paths[path]["get"] == nil {
			continue
		}
		paths := []string{strings.NewReplacer("{source}", "canary", "{connection}", "c1").Replace(path)}
		switch {
		case strings.Contains(path, "/events/{id}"):
			for _, id := range ids {
				paths = append(paths, strings.Replace(path, "{id}", id, 1))
			}
			paths = paths[1:]
		case strings.Contains(path, "{id}"):
			paths[0] = strings.Replace(path, "{id}", "last", 1)
		case strings.HasSuffix(path, "/diff"):
			paths[0] += "?from=2026-02-15T00:00:00Z"
		case strings.HasSuffix(path, "{connection}/events"):
			paths = append(paths, paths[0]+"?corrections=true&order=asc")
		}
		for _, p := range paths {
			for _, accept := range []string{"application/json", "text/csv", "application/jsonl", "text/event-stream"} {
				c.look("GET "+p+" as "+accept, c.fetch(url+p, accept), strings.HasSuffix(p, "c1/events") && accept != "text/event-stream")
			}
		}
	}
	c.look("GET /metrics", c.fetch(url+"/metrics", "text/plain"), false)
}

// fetch reads an answer, of one that never ends the first second.
func (c *collector) fetch(url, accept string) []byte {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Last-Event-ID", "0")
	resp, err := testClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if strings.HasSuffix(url, "/watch") {
		defer time.AfterFunc(time.Second, cancel).Stop()
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil && ctx.Err() == nil {
		c.t.Error(url, err)
	}
	return append(fmt.Appendf(nil, "%d %v\n", resp.StatusCode, resp.Header), b...)
}
