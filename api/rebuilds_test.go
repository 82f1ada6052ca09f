package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/keys"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// newRebuildRig is a rig over generations that follow the log by themselves. Its
// definition was another one when its 40 connections came to be disconnected.
func newRebuildRig(t *testing.T, change ...func(*Options)) (*rig, *generations.Set) {
	t.Helper()
	source, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(source, []byte("{lifecycle: disconnected}"), []byte("{lifecycle: paused}"), 1)
	if bytes.Equal(wrong, source) {
		t.Fatal("the definition no longer has the rule that this changes")
	}
	root, log := t.TempDir(), memstore.New()
	open := func(text []byte, policy generations.Policy) *generations.Set {
		d, err := providers.Parse("makini.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := generations.Open(generations.Options{
			Root: root, Log: log, Definitions: map[string]*providers.Definition{"makini": d}, OnChange: policy,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler), Fatal: func(path string, err error) { panic(fmt.Sprint(path, err)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r := newRig(t)
	for i := range 40 {
		log.AppendGroup([]eventstore.Event{r.event(time.Duration(i)*time.Second, webhook(fmt.Sprint(i), "connection.disconnected", "", fmt.Sprintf("c%02d", i), ""))})
	}
	set := open(wrong, generations.Off)
	run := func(s *generations.Set) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	applied := func(s *generations.Set) {
		deadline := time.After(patience)
		for {
			v, err := s.View()
			if err != nil {
				t.Fatal(err)
			}
			at := v.Checkpoint().Position
			_ = v.Close()
			if at == 40 {
				return
			}
			select {
			case <-deadline:
				t.Fatalf("position %d is applied, and no more", at)
			case <-time.After(time.Millisecond):
			}
		}
	}
	stop := run(set)
	applied(set)
	stop()
	set = open(source, generations.Off)
	t.Cleanup(run(set))
	return newRig(t, append([]func(*Options){func(o *Options) {
		o.View, o.Log, o.Rebuilds = set.View, log, set
	}}, change...)...), set
}

// post sends a body and returns the status and the answer.
func (r *rig) post(path, body string, header ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest("POST", r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// begin starts a rebuild.
func (r *rig) begin(request string) Rebuild {
	r.t.Helper()
	status, b := r.post("/v1/rebuilds", request)
	var j Rebuild
	if err := json.Unmarshal([]byte(b), &j); err != nil || status != 202 || j.ID == "" {
		r.t.Fatalf("start %s: %d %s (%v)", request, status, b, err)
	}
	return j
}

// follow reads a rebuild's events until one satisfies ok, or they end, and
// returns the last.
func (r *rig) follow(id string, ok func(Rebuild) bool) (last Rebuild, n int) {
	r.t.Helper()
	res, err := http.Get(r.server.URL + "/v1/rebuilds/" + id + "/events")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("events of %s: %d %s", id, res.StatusCode, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		last = Rebuild{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			r.t.Fatalf("%v in %s", err, data)
		}
		n++
		if ok(last) {
			break
		}
	}
	return last, n
}

func ended(Rebuild) bool      { return false }
func inReview(j Rebuild) bool { return j.State == generations.Review }
func (r *rig) paused() int    { return int(get200[Stats](r, "/v1/stats").Connections.ByHealth["paused"]) }
func (r *rig) disconnected() int {
	return int(get200[Stats](r, "/v1/stats").Connections.ByHealth["disconnected"])
}
func codeOf(answer string) string {
	var p Problem
	_ = json.Unmarshal([]byte(answer), &p)
	return p.Code
}

func TestRebuildOverHTTP(t *testing.T) {
	r, _ := newRebuildRig(t)
	if s := get200[RebuildStatus](r, "/v1/rebuilds"); s.Serving != "g000001" || s.Previous != "" || len(s.Outdated) != 1 || s.Job != nil {
		t.Errorf("status %+v", s)
	}
	if r.paused() != 40 || r.disconnected() != 0 {
		t.Fatal("the wrong definition does not show")
	}
	for _, path := range []string{"/v1/rebuilds/last", "/v1/rebuilds/rb-000002/report", "/v1/rebuilds/rb-000002/events"} {
		problemAt(t, r, "GET", path, 404, CodeNotFound)
	}

	// A dry run says what would change, and changes nothing.
	j := r.begin(`{"dry_run":true,"reason":"to see"}`)
	j, _ = r.follow(j.ID, ended)
	if j.State != generations.Reported || j.Report == nil || j.Report.Changed != 40 || j.Result.Events != 40 || j.Request.Reason != "to see" || r.paused() != 40 {
		t.Fatalf("dry run %+v, report %+v", j, j.Report)
	}
	g := j.Report.Groups[0]
	if g.Connections != 40 || len(g.Sample) == 0 || g.Sample[0].At == nil || g.Sample[0].At.Event == "" {
		t.Errorf("group %+v", g)
	}

	// A review waits.
	j = r.begin(`{"review":true}`)
	j, n := r.follow(j.ID, inReview)
	if j.State != generations.Review || n == 0 {
		t.Fatalf("review %+v", j)
	}
	status, b := r.post("/v1/rebuilds", "")
	var p Problem
	if err := json.Unmarshal([]byte(b), &p); err != nil || status != 409 || p.Code != CodeRebuildBusy || p.Rebuild == nil || p.Rebuild.ID != j.ID {
		t.Errorf("a second one: %d %s", status, b)
	}
	if status, b := r.post("/v1/rebuilds/rollback", ""); status != 409 || codeOf(b) != CodeRebuildBusy {
		t.Errorf("rollback in a review: %d %s", status, b)
	}
	if status, b := r.post("/v1/rebuilds/last/pause", ""); status != 409 || codeOf(b) != CodeRebuildState || !strings.Contains(b, "is review") {
		t.Errorf("pause in a review: %d %s", status, b)
	}
	res, report := r.send("GET", "/v1/rebuilds/"+j.ID+"/report")
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/jsonl") || strings.Count(report, "\n") != 40 {
		t.Errorf("report: %d %s, %d lines", res.StatusCode, res.Header.Get("Content-Type"), strings.Count(report, "\n"))
	}
	for i, line := range strings.SplitAfter(strings.TrimSpace(report), "\n") {
		var c RebuildChange
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.Connection != fmt.Sprintf("c%02d", i) || c.Old.Health != "paused" || c.New.Health != "disconnected" {
			t.Fatalf("line %d: %s (%v)", i, line, err)
		}
	}
	if status, b := r.post("/v1/rebuilds/"+j.ID+"/promote", ""); status != 200 {
		t.Fatalf("promote: %d %s", status, b)
	}
	if j, _ = r.follow(j.ID, ended); j.State != generations.Promoted || r.paused() != 0 || r.disconnected() != 40 {
		t.Errorf("after the promotion %s, %d paused, %d disconnected", j.State, r.paused(), r.disconnected())
	}
	if status, b := r.post("/v1/rebuilds/"+j.ID+"/cancel", ""); status != 409 || codeOf(b) != CodeRebuildState {
		t.Errorf("cancel what serves: %d %s", status, b)
	}

	// Back, and no further.
	status, b = r.post("/v1/rebuilds/rollback", "")
	if status != 200 || !strings.Contains(b, `"to":"g000001"`) || r.paused() != 40 {
		t.Errorf("rollback: %d %s, %d paused", status, b, r.paused())
	}
	if s := get200[RebuildStatus](r, "/v1/rebuilds"); s.Serving != "g000001" || s.Job.ID != j.ID {
		t.Errorf("status %+v", s)
	}
}

func TestNothingToRollBackTo(t *testing.T) {
	r, _ := newRebuildRig(t)
	if status, b := r.post("/v1/rebuilds/rollback", ""); status != 409 || codeOf(b) != CodeNoPrevious {
		t.Errorf("%d %s", status, b)
	}
}

// A name with a typing error would otherwise ask for another rebuild than was meant.
func TestWhatIsPostedIsReadStrictly(t *testing.T) {
	r, set := newRebuildRig(t)
	for _, c := range []struct {
		body, header string
		status       int
		code         string
	}{
		{`{"dryrun":true}`, "", 400, CodeBadRequest},
		{`{"dry_run":"yes"}`, "", 400, CodeBadRequest},
		{`{"dry_run":true,"dry_run":false}`, "", 400, CodeBadRequest},
		{`{"dry_run":true`, "", 400, CodeBadRequest},
		{`[]`, "", 400, CodeBadRequest},
		{`{"dry_run":true,"review":true}`, "", 400, CodeInvalidParameter},
		{`{"verify":true,"review":true}`, "", 400, CodeInvalidParameter},
		{`{"reason":"` + strings.Repeat("x", 201) + `"}`, "", 400, CodeInvalidParameter},
		{`{}`, "Content-Type: text/plain", 415, CodeMediaType},
		{`{}`, "Content-Type: application/x-www-form-urlencoded", 415, CodeMediaType},
		{`{"reason":"` + strings.Repeat("x", maxPosted) + `"}`, "", 413, CodeTooLarge},
	} {
		var header []string
		if c.header != "" {
			header = []string{c.header}
		}
		if status, b := r.post("/v1/rebuilds", c.body, header...); status != c.status || codeOf(b) != c.code {
			t.Errorf("%.60s %s: %d %s, want %d %s", c.body, c.header, status, b, c.status, c.code)
		}
	}
	if status, b := r.post("/v1/rebuilds?dry_run=true", ""); status != 400 || codeOf(b) != CodeUnknownParameter {
		t.Errorf("a query parameter: %d %s", status, b)
	}
	if j, err := set.Job("last"); err == nil {
		t.Errorf("one of them began %+v", j)
	}
}

// A server without keys does not do what a page in somebody's browser asks.
func TestNoPageOfAnotherSiteRebuilds(t *testing.T) {
	r, set := newRebuildRig(t)
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"} {
		if status, b := r.post("/v1/rebuilds", "", header); status != 403 || codeOf(b) != CodeCrossOrigin {
			t.Errorf("%s: %d %s", header, status, b)
		}
	}
	if j, err := set.Job("last"); err == nil {
		t.Errorf("one of them began %+v", j)
	}
	if status, b := r.post("/v1/rebuilds", "", "Sec-Fetch-Site: same-origin"); status != 202 {
		t.Errorf("a page of its own: %d %s", status, b)
	}
}

func TestChangesNeedAnAdmin(t *testing.T) {
	path := t.TempDir() + "/keys.yaml"
	key := map[keys.Scope]string{}
	for i, scope := range []keys.Scope{keys.Read, keys.Admin} {
		var err error
		if key[scope], err = keys.Create(path, string(scope), scope, day, strings.NewReader(strings.Repeat(string(rune('a'+i)), 64))); err != nil {
			t.Fatal(err)
		}
	}
	r, set := newRebuildRig(t, func(o *Options) {
		ring, err := keys.Open(path, o.Now, o.Logger)
		if err != nil {
			t.Fatal(err)
		}
		o.Access = func(next http.Handler) http.Handler { return keys.Require(ring, keys.Read, next) }
		o.Admin = func(next http.Handler) http.Handler { return keys.Require(ring, keys.Admin, next) }
	})
	posts := 0
	for _, rt := range r.routes.list {
		if rt.method != http.MethodPost {
			continue
		}
		posts++
		at := strings.ReplaceAll(rt.pattern, "{id}", "last")
		if status, _ := r.post(at, ""); status != 401 {
			t.Errorf("POST %s without a key: %d", at, status)
		}
		if status, _ := r.post(at, "", "Authorization: Bearer "+key[keys.Read]); status != 403 {
			t.Errorf("POST %s with a key that reads: %d", at, status)
		}
	}
	if posts < 6 {
		t.Errorf("%d operations change something", posts)
	}
	if j, err := set.Job("last"); err == nil {
		t.Errorf("one of them began %+v", j)
	}
	if status, b := r.post("/v1/rebuilds", `{"dry_run":true}`, "Authorization: Bearer "+key[keys.Admin]); status != 202 {
		t.Errorf("with an admin's key: %d %s", status, b)
	}
	if res, b := r.send("GET", "/v1/rebuilds/last", "Authorization: Bearer "+key[keys.Read]); res.StatusCode != 200 {
		t.Errorf("GET with a key that reads: %d %s", res.StatusCode, b)
	}
}

func TestAServerThatDoesNotRebuild(t *testing.T) {
	r := newRig(t)
	problemAt(t, r, "GET", "/v1/rebuilds", 503, CodeNotReady)
	problemAt(t, r, "POST", "/v1/rebuilds", 503, CodeNotReady, "Content-Length: 0")
}

// Drain ends what watches a rebuild, and a report that is gone answers 409.
func TestARebuildIsWatchedUntilTheServerStops(t *testing.T) {
	r, set := newRebuildRig(t)
	j := r.begin(`{"review":true}`)
	r.follow(j.ID, inReview)
	over := make(chan struct{})
	watching := make(chan struct{}, 64)
	go func() {
		defer close(over)
		r.follow(j.ID, func(Rebuild) bool { watching <- struct{}{}; return false })
	}()
	<-watching
	r.Drain()
	select {
	case <-over:
	case <-time.After(patience):
		t.Fatal("the watch outlasts Drain")
	}
	path, err := set.ReportFile(j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	problemAt(t, r, "GET", "/v1/rebuilds/last/report", 409, CodeRebuildState)
}

// Another definition is tried on what is there; nothing comes of it.
func TestTryADefinition(t *testing.T) {
	r, set := newRebuildRig(t)
	source, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*TryRequest)) string {
		q := TryRequest{Source: "makini", From: 1, Definition: string(source), Name: "../dir/mine.yaml"}
		change(&q)
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	try := func(change func(*TryRequest)) (got Trial) {
		t.Helper()
		status, b := r.post("/v1/rebuilds/try", with(change))
		if err := json.Unmarshal([]byte(b), &got); err != nil || status != 200 {
			t.Fatalf("%d %s (%v)", status, b, err)
		}
		return got
	}
	if got := try(func(*TryRequest) {}); got.Events != 40 || got.Differ != 0 || got.Whole != 40 || got.Changed != 0 || got.Cut {
		t.Errorf("the server's own definition: %+v", got)
	}
	paused := strings.Replace(string(source), "{lifecycle: disconnected}", "{lifecycle: paused}", 1)
	if got := try(func(q *TryRequest) { q.Definition, q.Limit = paused, 30 }); got.Events != 30 || got.Differ != 30 || got.Changed != 30 || !got.Cut || len(got.Shown) != 30 {
		t.Errorf("another one: %+v", got)
	}
	// What serves was made by a definition with a bug, which is mended.
	if got := try(func(q *TryRequest) { *q = TryRequest{Source: "makini", Connection: "c07"} }); got.Changed != 1 || got.States[0].Old.Health != "paused" || got.States[0].New.Health != "disconnected" {
		t.Errorf("one connection: %+v", got)
	}
	for _, c := range []struct {
		change func(*TryRequest)
		status int
		code   string
		says   string
	}{
		{func(q *TryRequest) { q.Definition = "" }, 400, CodeInvalidParameter, "a connection has to be named"},
		{func(q *TryRequest) { q.Connection = "c07" }, 400, CodeInvalidParameter, "does not go with from or since"},
		{func(q *TryRequest) { q.Connection, q.Source, q.From = "c07", "", 0 }, 400, CodeInvalidParameter, "a connection belongs to a source"},
		{func(q *TryRequest) { q.Limit = 100_001 }, 400, CodeInvalidParameter, "from 0 to 100000"},
		{func(q *TryRequest) { q.Source = "" }, 404, CodeNotFound, "none is named"},
		{func(q *TryRequest) { q.Source = "nobody" }, 404, CodeNotFound, `"nobody" is not in the server's configuration`},
		{func(q *TryRequest) { *q = TryRequest{Source: "makini", Connection: "nobody"} }, 404, CodeNotFound, "was applied yet"},
		{func(q *TryRequest) { q.Definition = strings.Replace(paused, "mapping:", "maping:", 1) }, 400, CodeInvalidDefinition, "mine.yaml:"},
		{func(q *TryRequest) { q.Definition = "x" }, 400, CodeInvalidDefinition, "mine.yaml"},
	} {
		status, b := r.post("/v1/rebuilds/try", with(c.change))
		var p Problem
		if err := json.Unmarshal([]byte(b), &p); err != nil || status != c.status || p.Code != c.code || !strings.Contains(p.Detail, c.says) || strings.Contains(p.Detail, "dir") {
			t.Errorf("%d %s (%v), want %d %s with %q", status, b, err, c.status, c.code, c.says)
		}
	}
	if j, err := set.Job("last"); err == nil || r.paused() != 40 {
		t.Errorf("it changed something: %+v, %d paused", j, r.paused())
	}
}
