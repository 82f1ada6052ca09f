package main

import (
	"context"
	"math/rand/v2"
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
	if err := awaitApplied(s.url, time.Minute); err != nil {
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
	if code != 0 || took > 10*time.Second {
		t.Errorf("SIGTERM: exit code %d after %s, want 0 within 10 s: %s", code, took, s.stderr())
	}
	acked := l.acknowledged()
	s = mustStart(t, dir)
	if err := awaitApplied(s.url, time.Minute); err != nil {
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
	if err := awaitApplied(s.url, time.Minute); err != nil {
		t.Fatal(err)
	}
	if code, _ := s.terminate(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr())
	}
	s = mustStart(t, dir)
	if s.took > 2*time.Second {
		t.Errorf("the start took %s with %d events, want under 2 s", s.took, events)
	}
	t.Logf("started in %s with %d events", s.took, events)
	s.kill()
	s = mustStart(t, dir)
	t.Logf("after kill -9 in %s", s.took)
	if s.took > 2*time.Second {
		t.Errorf("the start after kill -9 took %s with %d events, want under 2 s", s.took, events)
	}
}
