package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

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
		if err := awaitApplied(r.url, patience); err != nil {
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
