package main

import (
	"bufio"
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKill is the promise of a 200 under kill -9: 64 senders, the process killed at
// a random moment, round after round on the same data. Every acknowledged webhook is there once.
func TestKill(t *testing.T) {
	rounds := 3
	if long {
		rounds = 10
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	var acked []ack
	all := newLoad(-1) // numbers the webhooks through all rounds
	for round := range rounds {
		s := mustStart(t, dir)
		all.goal, all.reached = len(acked)+1+rand.IntN(1500), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		var sending sync.WaitGroup
		sending.Go(func() { all.run(ctx, s.url, 0) })
		<-all.reached
		s.kill()
		cancel()
		sending.Wait()
		now := all.acknowledged()
		t.Logf("round %d: killed after %d acknowledgements", round+1, len(now)-len(acked))
		acked = now
	}

	s := mustStart(t, dir)
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	got := stored(t, s.url)
	if lost := missing(acked, got); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are not there exactly once, the first: %+v", len(lost), len(acked), lost[0])
	}
	if n := int(all.sent.Load()); len(got) > n {
		t.Errorf("%d events are stored, and %d were ever sent", len(got), n)
	}
	checkEvents(t, s.url, acked)
	t.Logf("%d sent, %d acknowledged, %d stored", all.sent.Load(), len(acked), len(got))
}

// TestTerminate is SIGTERM under the same load: it ends by itself, in time, with 0,
// and what it acknowledged on the way is there.
func TestTerminate(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	s := mustStart(t, dir)
	l := newLoad(1000)
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() { l.run(ctx, s.url, 0) })
	<-l.reached
	code, took := s.terminate()
	cancel()
	sending.Wait()
	if code != 0 || took > endLimit {
		t.Errorf("SIGTERM: exit code %d after %s, want 0 in time: %s", code, took, s.stderr())
	}
	acked := l.acknowledged()
	s = mustStart(t, dir)
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	if lost := missing(acked, stored(t, s.url)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged webhooks are lost, the first: %+v", len(lost), len(acked), lost[0])
	}
	t.Logf("%d acknowledged, ended in %s", len(acked), took)
}

// TestStart is a start on a directory that has many events: what is projected is not read again.
func TestStart(t *testing.T) {
	events := int64(20_000)
	if long {
		events = 200_000
	}
	dir := t.TempDir()
	writeConfig(t, dir, "")
	s := mustStart(t, dir)
	l := newLoad(-1)
	l.run(t.Context(), s.url, events)
	if n := len(l.acknowledged()); n != int(events) {
		t.Fatalf("%d of %d webhooks were acknowledged", n, events)
	}
	if err := awaitApplied(s.url, patience); err != nil {
		t.Fatal(err)
	}
	if n := applied(t, s); n != int(events) {
		t.Fatalf("%d of %d events were applied", n, events)
	}
	if code, _ := s.terminate(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr())
	}
	for _, after := range []string{"an end in good order", "kill -9"} {
		s = mustStart(t, dir)
		t.Logf("started after %s in %s with %d events", after, s.took, events)
		if s.took > startLimit {
			t.Errorf("the start after %s took %s with %d events", after, s.took, events)
		}
		if n := applied(t, s); n != 0 {
			t.Errorf("the start after %s read %d of %d events again", after, n, events)
		}
		s.kill()
	}
}

// startLimit is how long a start may take: the two seconds that docs/PERFORMANCE.md asks of an idle machine, and
// what a busy one adds.
const startLimit = 20 * time.Second

// applied is how many events the projections took in since the server was started.
func applied(t *testing.T, s *server) (n int) {
	t.Helper()
	resp, err := testClient.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "tidemark_projection_events_total{"); ok {
			_, value, _ := strings.Cut(rest, " ")
			one, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			n += int(one)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
