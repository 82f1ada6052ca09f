package timeline_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// What is written of a summary is read back whole, and written the same again.
func TestSummaryRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		es := history(rng, rapid.IntRange(0, 60).Draw(rt, "n"))
		slices.SortFunc(es, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
		if rapid.Bool().Draw(rt, "ends of time") && len(es) > 1 {
			es[0].Key.Effective, es[len(es)-1].Key.Effective = math.MinInt64+1, math.MaxInt64
			es[len(es)-1].Key.Sequence = math.MaxUint64
		}
		var want, got timeline.Summary
		for _, e := range es {
			want.Add(e)
		}
		row := timeline.AppendSummary(nil, &want)
		rest, err := timeline.DecodeSummary(append(slices.Clone(row), 7), &got)
		if err != nil || len(rest) != 1 || got != want {
			rt.Fatalf("%v, %d bytes left\n got %+v\nwant %+v", err, len(rest), got, want)
		}
		if again := timeline.AppendSummary(nil, &got); !slices.Equal(again, row) {
			rt.Fatalf("written again: %x, was %x", again, row)
		}
	})
}

// A summary that is cut short is an error wherever it is cut, and one with
// flipped bits is an error or another summary, never a panic.
func TestDamagedSummary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	es := history(rng, 40)
	slices.SortFunc(es, func(a, b *timeline.Entry) int { return a.Key.Compare(b.Key) })
	var sum, got timeline.Summary
	for _, e := range es {
		sum.Add(e)
	}
	row := timeline.AppendSummary(nil, &sum)
	for n := range row {
		if _, err := timeline.DecodeSummary(row[:n], &got); err == nil {
			t.Errorf("cut after %d of %d bytes: no error", n, len(row))
		}
	}
	for bit := range 8 * len(row) {
		bad := slices.Clone(row)
		bad[bit/8] ^= 1 << (bit % 8)
		if rest, err := timeline.DecodeSummary(bad, &got); err == nil && len(rest) == 0 && got == sum {
			t.Errorf("bit %d flipped makes no difference", bit)
		}
	}
}
