package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// postWebhook sends a signed body and returns the event's id.
func postWebhook(base string, body []byte) (string, error) {
	req, err := http.NewRequest(http.MethodPost, base+"/in/makini", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write(body)
	req.Header.Set("X-Makini-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := testClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	var got struct{ ID string }
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(answer, &got) != nil {
		return "", fmt.Errorf("%d %s (%w)", resp.StatusCode, answer, err)
	}
	return got.ID, nil
}

// postJSON asks the API for a change.
func postJSON(t testing.TB, url string, body, into any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := testClient.Post(url, "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 || json.Unmarshal(answer, into) != nil {
		t.Fatalf("POST %s: %d %s (%v)", url, resp.StatusCode, answer, err)
	}
}

// awaitRebuild waits until the last rebuild is in one of the states.
func awaitRebuild(t testing.TB, base string, states ...generations.State) api.Rebuild {
	t.Helper()
	limit := time.After(patience)
	for {
		var j api.Rebuild
		err := getJSON(base+"/v1/rebuilds/last", &j)
		if err == nil && slices.Contains(states, j.State) {
			return j
		}
		if j.State == generations.Failed || j.State == generations.Cancelled {
			t.Fatalf("the rebuild is %+v", j)
		}
		select {
		case <-limit:
			t.Fatalf("the rebuild is %+v after %s, and not %v (%v)", j, patience, states, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// verified runs a verification and returns what came of it.
func verified(t testing.TB, base string) *generations.Verified {
	t.Helper()
	var j api.Rebuild
	postJSON(t, base+"/v1/rebuilds", api.RebuildRequest{Verify: true}, &j)
	return awaitRebuild(t, base, generations.Reported).Verified
}

// month is a history that the test knows of by itself.
type month struct {
	bodies [][]byte
	// of each connection, what happened in the order of its own clock
	happened map[string][]happening
}

type happening struct {
	at   time.Time
	kind string
	body int
}

var monthBegins = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// aMonth draws a month of events, some of them late and some delivered twice.
func aMonth(rng *rand.Rand, events, connections int) *month {
	m := &month{happened: map[string][]happening{}}
	kinds := []string{"sync.started", "sync.succeeded", "sync.succeeded", "connection.online", "connection.offline", "system.error"}
	for i := range events {
		c := rng.IntN(connections)
		kind := kinds[rng.IntN(len(kinds))]
		if c%4 == 0 && rng.IntN(5) == 0 {
			kind = "sync.failed"
		}
		// No two events of the history share a time.
		at := monthBegins.Add(time.Duration(rng.Int64N(28*24*3600))*time.Second + time.Duration(i)*time.Microsecond)
		connection := fmt.Sprintf("customer %d", c)
		m.happened[connection] = append(m.happened[connection], happening{at, kind, i})
		m.bodies = append(m.bodies, fmt.Appendf(nil, `{"id":"evt_%d","event_type":%q,"timestamp":%q,"connection_id":%q,"data":{}}`,
			i, kind, at.Format(time.RFC3339Nano), connection))
	}
	for _, all := range m.happened {
		slices.SortFunc(all, func(a, b happening) int { return a.at.Compare(b.at) })
	}
	return m
}

// send delivers the month in a shuffled order, one event in ten twice, and returns the events' ids.
func (m *month) send(t testing.TB, base string, rng *rand.Rand) []string {
	t.Helper()
	ids := make([]string, len(m.bodies))
	order := rng.Perm(len(m.bodies))
	var g errgroup.Group
	g.SetLimit(16)
	for n, i := range order {
		g.Go(func() (err error) {
			if ids[i], err = postWebhook(base, m.bodies[i]); err == nil && n%10 == 0 {
				_, err = postWebhook(base, m.bodies[i])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestPlantedBug is a bug in a definition of somebody's own: failed syncs were taken for
// successes, for a month. It is mended, and the report of the rebuild lists exactly the
// connections that had one, from what to what, and the event at which it began.
func TestPlantedBug(t *testing.T) {
	events := 1500
	if long {
		events = 20_000
	}
	source, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	right := []byte("    - name: sync failed\n      type: sync.failed\n      set: {sync: failed}")
	wrong := bytes.Replace(right, []byte("{sync: failed}"), []byte("{sync: succeeded}"), 1)
	if !bytes.Contains(source, right) {
		t.Fatal("the definition no longer has the rule that this plants a bug in")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, string(bytes.Replace(source, right, wrong, 1)))
	write(filepath.Join(dir, "tidemark.yaml"), "data_dir: data\nrebuild: {on_definition_change: review}\nsources: {makini: {provider: ./mine.yaml, secrets: ["+testSecret+"]}}\n")
	s := mustStart(t, dir)
	rng := rand.New(rand.NewPCG(41, 42))
	m := aMonth(rng, events, 120)
	ids := m.send(t, s.url, rng)
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	if code, _ := s.terminate(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr())
	}

	write(file, string(source))
	s = mustStart(t, dir)
	if !strings.Contains(s.stderr(), "definitions have changed") {
		t.Errorf("the start does not say that definitions have changed: %s", s.stderr())
	}
	j := awaitRebuild(t, s.url, generations.Review)

	// What the report has to say, by the test's own reckoning: walk each connection's
	// events by their own times and keep the last word on syncs, in both readings.
	type expected struct{ was, is, first string }
	want := map[string]expected{}
	groups := map[[2]string]int{}
	for connection, all := range m.happened {
		e := expected{was: "unknown", is: "unknown"}
		for _, h := range all {
			switch h.kind {
			case "sync.started":
				e.was, e.is = "running", "running"
			case "sync.succeeded":
				e.was, e.is = "succeeded", "succeeded"
			case "sync.failed":
				e.was, e.is = "succeeded", "failed"
				if e.first == "" {
					e.first = ids[h.body]
				}
			}
		}
		if e.first != "" {
			want[connection] = e
			groups[[2]string{e.was, e.is}]++
		}
	}
	if len(want) == 0 || len(want) == len(m.happened) {
		t.Fatalf("%d of %d connections are affected: the history tries nothing", len(want), len(m.happened))
	}
	resp, err := testClient.Get(s.url + "/v1/rebuilds/last/report")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines, got := bufio.NewScanner(resp.Body), map[string]bool{}
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c api.RebuildChange
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		w, ok := want[c.Connection]
		if !ok {
			t.Errorf("%s is listed, and nothing of it was wrong: %s", c.Connection, lines.Text())
			continue
		}
		got[c.Connection] = true
		if c.Kind != "changed" || c.Old.Sync.Value != w.was || c.New.Sync.Value != w.is || c.First == nil || c.First.Event != w.first || !c.First.Exact ||
			c.First.Old.Sets["sync"] != "succeeded" || c.First.New.Sets["sync"] != "failed" {
			t.Errorf("%s: want %+v, the report says %s", c.Connection, w, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for connection := range want {
		if !got[connection] {
			t.Errorf("%s is not listed, and was wrong from event %s on", connection, want[connection].first)
		}
	}
	if int(j.Report.Changed) != len(want) || j.Report.Added+j.Report.Removed != 0 {
		t.Errorf("the report counts %+v, want %d changed", j.Report, len(want))
	}
	for _, g := range j.Report.Groups {
		if g.Facet == "sync" && int(g.Connections) != groups[[2]string{g.Old, g.New}] {
			t.Errorf("%d connections went from %s to %s, want %d", g.Connections, g.Old, g.New, groups[[2]string{g.Old, g.New}])
		}
	}

	// It takes over, and then what serves is what the log says.
	postJSON(t, s.url+"/v1/rebuilds/last/promote", nil, &j)
	awaitRebuild(t, s.url, generations.Promoted)
	for connection, w := range want {
		var state api.State
		if err := getJSON(s.url+"/v1/connections/makini/"+url.PathEscape(connection), &state); err != nil || state.Sync.Value != w.is {
			t.Errorf("%s is %+v, want sync %s (%v)", connection, state.Sync, w.is, err)
		}
	}
	if v := verified(t, s.url); !v.Equal || len(v.Outdated) != 0 {
		t.Errorf("verified %+v", v)
	}
	t.Logf("%d events, %d of %d connections were wrong", events, len(want), len(m.happened))
}

// TestKillARebuild is kill -9 in the middle of a rebuild, at another moment each
// round: the next start goes on with it, and nothing is lost or done by halves.
func TestKillARebuild(t *testing.T) {
	rounds, events := 4, int64(6000)
	if long {
		rounds, events = 12, 100_000
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	s := mustStart(t, dir)
	l := newLoad(-1)
	l.run(t.Context(), s.url, events)
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for round := range rounds {
		var j api.Rebuild
		postJSON(t, s.url+"/v1/rebuilds", api.RebuildRequest{Reason: fmt.Sprint("round ", round)}, &j)
		seen[killAmid(t, s, []string{"reading the log", "folding timelines", "beginning", "comparing"}[round%4])]++
		s = mustStart(t, dir)
		end := awaitRebuild(t, s.url, generations.Promoted)
		if end.ID != j.ID || end.Result == nil && end.Generation != j.Generation {
			t.Fatalf("after the restart %+v, begun was %+v", end, j)
		}
		var st api.RebuildStatus
		if err := getJSON(s.url+"/v1/rebuilds", &st); err != nil || st.Serving != j.Generation {
			t.Fatalf("%+v serves (%v), want %s", st, err, j.Generation)
		}
	}
	t.Logf("killed while: %v", seen)
	if v := verified(t, s.url); !v.Equal {
		t.Errorf("verified %+v", v)
	}
	acked := l.acknowledged()
	if lost := missing(acked, stored(t, s.url)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
	}
}

// killAmid kills the server once its rebuild is at that step or past it, and returns what it was at.
func killAmid(t *testing.T, s *server, step string) string {
	t.Helper()
	steps := []string{"beginning", "reading the log", "folding timelines", "accounting for every event", "comparing", "taking over"}
	for {
		var j api.Rebuild
		if err := getJSON(s.url+"/v1/rebuilds/last", &j); err != nil {
			t.Fatal(err)
		}
		if at := stepOf(&j); j.State.Ended() || slices.Index(steps, at) >= slices.Index(steps, step) {
			s.kill()
			return at
		}
		time.Sleep(time.Millisecond) // the rebuild needs the processors
	}
}

// TestRebuildUnderLoad is a rebuild after the other while webhooks come in at a
// steady rate and readers read all the time: every webhook is answered 200 and is there, and
// what a reader sees never goes back.
func TestRebuildUnderLoad(t *testing.T) {
	perSecond, rebuilds := 150, 4
	if long {
		perSecond, rebuilds = 1000, 20
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	s := mustStart(t, dir)
	l := newLoad(-1)
	l.run(t.Context(), s.url, 2000) // something to rebuild
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var work sync.WaitGroup
	limit := rate.NewLimiter(rate.Limit(perSecond), perSecond/10)
	for range 8 {
		work.Go(func() {
			for limit.Wait(ctx) == nil {
				l.send(context.Background(), s.url, l.sent.Add(1))
			}
		})
	}
	var reads atomic.Int64
	for range 3 {
		work.Go(func() { readForward(t, ctx, s.url, &reads) })
	}
	for i := range rebuilds {
		var j api.Rebuild
		postJSON(t, s.url+"/v1/rebuilds", api.RebuildRequest{}, &j)
		if end := awaitRebuild(t, s.url, generations.Promoted); end.ID != j.ID {
			t.Fatalf("rebuild %d: %+v", i, end)
		}
		if i == rebuilds/2 {
			var back api.Rollback
			postJSON(t, s.url+"/v1/rebuilds/rollback", nil, &back)
		}
	}
	stop()
	work.Wait()
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	acked := l.acknowledged()
	if n := int(l.sent.Load()); len(acked) < n-loadSenders { // numbers that were drawn and not sent
		t.Errorf("%d of %d webhooks were acknowledged", len(acked), n)
	}
	if lost := missing(acked, stored(t, s.url)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
	}
	if v := verified(t, s.url); !v.Equal {
		t.Errorf("verified %+v", v)
	}
	t.Logf("%d webhooks, %d reads, %d rebuilds", len(acked), reads.Load(), rebuilds)
}

// readForward reads counts and states until ctx ends, and sees that they never go back.
func readForward(t *testing.T, ctx context.Context, base string, reads *atomic.Int64) {
	var last api.Stats
	events := map[string]uint64{}
	for ctx.Err() == nil {
		var now api.Stats
		if err := getJSON(base+"/v1/stats", &now); err != nil {
			t.Errorf("a reader: %v", err)
			return
		}
		if now.Checkpoint < last.Checkpoint || now.Connections.Total < last.Connections.Total || now.Head < last.Head {
			t.Errorf("a reader saw %+v after %+v", now, last)
			return
		}
		last = now
		var page api.Page[api.State]
		if err := getJSON(base+"/v1/connections?limit=500", &page); err != nil {
			t.Errorf("a reader: %v", err)
			return
		}
		for _, c := range page.Items {
			if c.Counts.Events < events[c.Connection] {
				t.Errorf("a reader saw %d events of %s after %d", c.Counts.Events, c.Connection, events[c.Connection])
				return
			}
			events[c.Connection] = c.Counts.Events
		}
		reads.Add(1)
	}
}
