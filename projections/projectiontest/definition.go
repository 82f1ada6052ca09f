package projectiontest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
)

// LawOfDefinition checks the law on a history of at most most events, drawn from the
// samples of one definition: batch sizes and crashes leave the same bytes, and
// the states, and those of the past, are what the oracle makes of what people
// wrote down beside the payloads.
func LawOfDefinition(t T, rng *rand.Rand, d *providers.Definition, samples []Sample, most int) {
	t.Helper()
	sources := []string{"src-0", "src-1"}
	definitions := map[string]*providers.Definition{"src-0": d, "src-1": d}
	log, oracle := storeSamples(rng, DrawSamples(rng, d, samples, sources, 1+rng.IntN(most)))
	db := lawOf(t, rng, log, oracle, definitions, 1+rng.IntN(20), 1+rng.IntN(2))
	if len(oracle.Connections) > 0 {
		CheckPast(t, rng, db, oracle, 3)
	}
	_ = db.Close()
}

// storeSamples is Store for deliveries of samples, in commit groups of any size.
func storeSamples(rng *rand.Rand, all []Delivered) (*memstore.Store, *Oracle) {
	log, oracle := memstore.New(), NewOracle()
	for len(all) > 0 {
		n := min(len(all), 1+rng.IntN(12))
		var group []eventstore.Event
		for _, d := range all[:n] {
			group = append(group, d.Event)
		}
		p := log.AppendGroup(group)
		for i, d := range all[:n] {
			ob := d.Means
			ob.Event, ob.Position, ob.Index = d.Event, uint64(p), i
			oracle.Place(ob)
		}
		all = all[n:]
	}
	return log, oracle
}

// OrderOfDefinition checks, on about most events, that the order in which events come does not matter:
// what the log decides (which delivery of an id is the first, which of two events of the
// same instant) is left out, and then every order of the same events gives the same states.
func OrderOfDefinition(t T, rng *rand.Rand, d *providers.Definition, samples []Sample, most int) {
	t.Helper()
	all := undecided(DrawSamples(rng, d, samples, []string{"src"}, most))
	want := ""
	for range 3 {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		log, _ := storeSamples(rng, all)
		db := Open(t, vfs.NewMem())
		_ = Project(t, db, log, map[string]*providers.Definition{"src": d}, 1+rng.IntN(20), 0).Close()
		v, err := projections.NewView(db)
		if err != nil {
			t.Fatalf("view: %v", err)
		}
		got := ""
		for _, id := range connectionsOf(all) {
			s, err := v.Connection("src", id)
			if err != nil {
				t.Fatalf("connection %q: %v", id, err)
			}
			s.Position, s.Counts.Late = 0, 0 // these two tell of the order
			state, err := canonical(s)
			if err != nil {
				t.Fatalf("connection %q: %v", id, err)
			}
			got += fmt.Sprintln(id, state)
		}
		v.Close()
		_ = db.Close()
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("another order, another state:\n%s\nand\n%s", got, want)
		}
	}
}

// undecided leaves out what the place in the log decides.
func undecided(all []Delivered) []Delivered {
	oracle, ids, instants := NewOracle(), map[string]bool{}, map[string]bool{}
	return slices.DeleteFunc(all, func(d Delivered) bool {
		ob := d.Means
		ob.Event = d.Event
		oracle.Place(ob)
		placed := oracle.Connections["src\x00"+ob.Connection]
		if ob.Connection == "" || ids[ob.ID] || len(placed) == 0 {
			return true
		}
		ids[ob.ID] = ob.ID != ""
		instant := ob.Connection + stamp(placed[len(placed)-1].Effective)
		if instants[instant] {
			return true
		}
		instants[instant] = true
		return false
	})
}

// connectionsOf lists the connections of the deliveries, sorted.
func connectionsOf(all []Delivered) []string {
	var out []string
	for _, d := range all {
		out = append(out, d.Means.Connection)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
