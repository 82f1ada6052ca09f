package projections_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/projectiontest"
)

// mended returns makini as it is, which cannot place what names its connection
// "account", and makini that can.
func mended(t projectiontest.T, s projectiontest.Shape) (before, after map[string]*providers.Definition) {
	t.Helper()
	text, err := providers.Source("makini")
	if err != nil {
		t.Fatalf("%v", err)
	}
	changed := bytes.Replace(text, []byte("body.connectionId]"), []byte("body.connectionId, body.account]"), 1)
	if bytes.Equal(text, changed) {
		t.Fatalf("the definition no longer has the line that this changes")
	}
	d, err := providers.Parse("mended.yaml", changed)
	if err != nil {
		t.Fatalf("%v", err)
	}
	before, after = projectiontest.Definitions(t, s), map[string]*providers.Definition{}
	for source := range before {
		after[source] = d
	}
	return before, after
}

// rename lets a share of the events, out of 100, name their connection "account".
func rename(rng *rand.Rand, events []eventstore.Event, share int) {
	for i := range events {
		if rng.IntN(100) < share {
			events[i].Body = bytes.Replace(events[i].Body, []byte(`"connection_id"`), []byte(`"account"`), 1)
		}
	}
}

// deliveries counts the other deliveries of the id of the event at a place, before
// it in the log and behind it.
func deliveries(t projectiontest.T, log *memstore.Store, position uint64, index uint32) (before, behind int) {
	t.Helper()
	idOf := func(e *eventstore.Event) string {
		var body struct{ ID string }
		if json.Unmarshal(e.Body, &body) != nil || body.ID == "" {
			return ""
		}
		return e.Source + "/" + body.ID
	}
	at, err := log.At(context.Background(), eventstore.Position(position))
	if err != nil {
		t.Fatalf("%v", err)
	}
	of := idOf(&at.Events[index])
	head, err := log.Head(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for p := eventstore.Position(1); p <= head; p++ {
		g, err := log.At(context.Background(), p)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for i := range g.Events {
			switch {
			case idOf(&g.Events[i]) != of || uint64(p) == position && uint32(i) == index:
			case uint64(p) < position || uint64(p) == position && uint32(i) < index:
				before++
			default:
				behind++
			}
		}
	}
	return before, behind
}

// What a retry places leaves the rows that a rebuild with the mended definition
// leaves, byte for byte; where it does not, it names the events that are left, and each of those
// is one whose id a later delivery has taken.
func TestRetry(t *testing.T) {
	exact, left := 0, 0
	for name, s := range map[string]projectiontest.Shape{
		"messy":         projectiontest.Messy,
		"no duplicates": {Sources: 2, Connections: 3, Events: 60, Ties: 20, Timeless: 5, Skewed: 5, Late: 20, Broken: 4, Anonymous: 10},
		"one long":      {Sources: 1, Connections: 1, Events: 200, Ties: 20, Timeless: 5, Skewed: 5, Late: 10, Duplicates: 3, Conflicts: 30, Anonymous: 10},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 11))
				s := s
				s.Events = rapid.IntRange(1, s.Events).Draw(t, "events")
				events := projectiontest.Draw(rng, s)
				rename(rng, events, rapid.SampledFrom([]int{2, 20, 60}).Draw(t, "renamed"))
				groups := projectiontest.Groups(rng, events, rapid.IntRange(1, 8).Draw(t, "group"))
				before, after := mended(t, s)

				// The mended definition came when so many groups were read.
				cut := rapid.IntRange(0, len(groups)).Draw(t, "cut")
				log, _ := projectiontest.Store(groups[:cut])
				db := projectiontest.Open(t, vfs.NewMem())
				_ = projectiontest.Project(t, db, log, before, 7, 0).Close()
				for _, g := range groups[cut:] {
					log.AppendGroup(g)
				}
				p := projectiontest.Project(t, db, log, after, 7, 0)
				r := projections.NewRetry(log)
				for more := true; more; {
					var err error
					if more, err = r.Step(t.Context(), p); err != nil {
						t.Fatalf("retry: %v", err)
					}
				}
				_ = p.Close()
				got := projectiontest.Rows(t, db)

				anew := projectiontest.Open(t, vfs.NewMem())
				_ = projectiontest.Project(t, anew, log, after, 1000, 0).Close()
				want := projectiontest.Rows(t, anew)
				if r.Result.NeedRebuild == 0 {
					exact++
					if !bytes.Equal(got, want) {
						t.Fatalf("%+v: the rows are\n%s\nand of a rebuild\n%s", r.Result, got, want)
					}
					v, w := stats(t, db), stats(t, anew)
					if v != w {
						t.Fatalf("%+v: it counts %s, and a rebuild %s", r.Result, v, w)
					}
				}
				for _, l := range r.Result.Left {
					left++
					earlier, later := deliveries(t, log, l.Position, l.Index)
					if later == 0 && earlier == 0 || later == 0 && !strings.HasPrefix(l.Reason, "an earlier delivery") {
						t.Fatalf("%+v is left, and its id was delivered %d times before and %d times after it", l, earlier, later)
					}
				}
				if sum := r.Result.Placed + r.Result.Duplicates + r.Result.Kept + r.Result.NeedRebuild; sum != r.Result.Tried {
					t.Fatalf("%+v does not add up", r.Result)
				}
				_ = db.Close()
				_ = anew.Close()
			})
		})
	}
	if exact == 0 || left == 0 {
		t.Errorf("%d retries were exact and %d events left: both have to be tried", exact, left)
	}
}

// stats is what a directory counts, but for what it counted down to nothing.
func stats(t projectiontest.T, db *kv.DB) string {
	t.Helper()
	v, err := projections.NewView(db)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	defer func() { _ = v.Close() }()
	s := v.Stats()
	for _, counts := range []map[string]uint64{s.ByHealth, s.BySource} {
		for name, n := range counts {
			if n == 0 {
				delete(counts, name)
			}
		}
	}
	return fmt.Sprintf("%+v %+v", v.Checkpoint(), s)
}
