package generations_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// readsAccounts is makini for a sender that calls a connection an account.
func readsAccounts(t *testing.T) *providers.Definition {
	t.Helper()
	text, err := providers.Source("makini")
	if err != nil {
		t.Fatal(err)
	}
	d, err := providers.Parse("mended.yaml", bytes.Replace(text, []byte("body.connectionId]"), []byte("body.connectionId, body.account]"), 1))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func asAccount(body []byte) []byte {
	return bytes.Replace(body, []byte(`"connection_id"`), []byte(`"account"`), 1)
}

// Events that a mended definition can place leave the quarantine of what serves
// while webhooks come in, and what is left is what a rebuild would have made.
func TestRetryQuarantine(t *testing.T) {
	r := newRig(t)
	r.shape.Duplicates = 0
	d := readsAccounts(t)
	renamed := 0
	for _, g := range projectiontest.Groups(r.rng, projectiontest.Draw(r.rng, r.shape), 4) {
		for i := range g {
			if r.rng.IntN(3) == 0 {
				b := asAccount(g[i].Body)
				b = bytes.Replace(b, []byte(`"id":"`), []byte(`"id":"again-`), 1)
				renamed += bytes.Count(b, []byte(`"account"`))
				g[i].Body = b
			}
		}
		r.log.AppendGroup(append([]eventstore.Event(nil), g...))
		r.groups++
	}
	s := r.open()
	stop := r.run(s)
	r.eventually("all is applied", func() bool { return r.position(s) == uint64(r.groups) })
	if got, err := s.RetryQuarantine(t.Context()); err != nil || got.Placed != 0 || got.Kept == 0 || got.Kept != got.Tried {
		t.Fatalf("without another definition %+v, %v", got, err)
	}
	stop()

	r.redefine(d)
	hub := projections.NewHub(0)
	s = r.with(func(o *generations.Options) { o.OnChange, o.Hub = generations.Off, hub })
	r.run(s)
	watch := hub.Watch()
	var placed uint64
	for range 3 { // the second time there is nothing left to do
		r.more(5)
		got, err := s.RetryQuarantine(t.Context())
		if err != nil || got.NeedRebuild != 0 || len(got.Outdated) == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		placed += got.Placed
	}
	if placed == 0 || int(placed) > renamed {
		t.Errorf("%d of %d were placed", placed, renamed)
	}
	for {
		_, _, err := watch.Next(t.Context())
		if errors.Is(err, projections.ErrReplaced) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("all is applied", func() bool { return r.position(s) == uint64(r.groups) })
	if _, err := s.Start(generations.Request{Verify: true}); err != nil {
		t.Fatal(err)
	}
	if j := r.state(s, generations.Reported); !j.Verified.Equal {
		t.Errorf("after the retry a rebuild differs: %s", j.Verified.First)
	}
}

func (r *rig) position(s *generations.Set) uint64 {
	r.t.Helper()
	v, err := s.View()
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	return v.Checkpoint().Position
}
