package stats

import (
	"math"
	"testing"
	"time"
)

func upTo(n int) []time.Duration {
	values := make([]time.Duration, n)
	for i := range values {
		values[i] = time.Duration(n - i) // falling, so that sorting is seen
	}
	return values
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	sorted := []int{15, 20, 35, 40, 50}
	for _, c := range []struct {
		p    float64
		want int
	}{
		{0.001, 15}, {0.05, 15}, {0.20, 15}, {0.21, 20}, {0.30, 20}, {0.40, 20}, {0.50, 35}, {0.99, 50}, {1, 50},
	} {
		if got := Percentile(sorted, c.p); got != c.want {
			t.Errorf("Percentile(%v) = %d, want %d", c.p, got, c.want)
		}
	}
}

func TestPercentileOfHundredIsItsOwnRank(t *testing.T) {
	sorted := make([]int, 100)
	for i := range sorted {
		sorted[i] = i + 1
	}
	for rank := 1; rank <= 100; rank++ {
		if got := Percentile(sorted, float64(rank)/100); got != rank {
			t.Errorf("Percentile(%d/100) = %d, want %d", rank, got, rank)
		}
	}
}

func TestPercentileOfNothingIsZero(t *testing.T) {
	if got := Percentile([]float64(nil), 0.5); got != 0 {
		t.Errorf("Percentile of nothing = %v, want 0", got)
	}
}

func TestSummariseSortsWhatItIsGiven(t *testing.T) {
	got := Summarise(upTo(1000))
	want := Latency{Count: 1000, P50: 500, P90: 900, P99: 990, P999: 999, Max: 1000}
	if got != want {
		t.Errorf("Summarise = %+v, want %+v", got, want)
	}
}

func TestSummariseOfNothing(t *testing.T) {
	if got := Summarise(nil); got != (Latency{}) {
		t.Errorf("Summarise(nil) = %+v, want the zero Latency", got)
	}
}

func TestOverTakesTheMiddleRun(t *testing.T) {
	for _, c := range []struct {
		runs []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{7}, Spread{7, 7, 7, 1}},
		{[]float64{9, 1}, Spread{1, 1, 9, 2}},
		{[]float64{5, 1, 100, 3, 4}, Spread{4, 1, 100, 5}},
		{[]float64{4, 2, 8, 6}, Spread{4, 2, 8, 4}},
	} {
		if got := Over(c.runs); got != c.want {
			t.Errorf("Over(%v) = %+v, want %+v", c.runs, got, c.want)
		}
	}
}

func TestOverLeavesTheRunsInTheirOrder(t *testing.T) {
	runs := []float64{3, 1, 2}
	Over(runs)
	if runs[0] != 3 || runs[1] != 1 || runs[2] != 2 {
		t.Errorf("Over reordered its argument: %v", runs)
	}
}

func TestOfPicksTheFigure(t *testing.T) {
	runs := []Latency{{P50: 30}, {P50: 10}, {P50: 20}}
	got := Of(runs, func(l Latency) float64 { return float64(l.P50) })
	if want := (Spread{20, 10, 30, 3}); got != want {
		t.Errorf("Of = %+v, want %+v", got, want)
	}
}

func TestBucketedReturnsTheBoundThatHoldsTheRank(t *testing.T) {
	buckets := []Bucket{{0.001, 50}, {0.01, 98}, {0.1, 99}, {math.Inf(1), 100}}
	for _, c := range []struct{ p, want float64 }{
		{0.5, 0.001}, {0.51, 0.01}, {0.98, 0.01}, {0.99, 0.1}, {1, math.Inf(1)},
	} {
		if got := Bucketed(buckets, c.p); got != c.want {
			t.Errorf("Bucketed(%v) = %v, want %v", c.p, got, c.want)
		}
	}
	if got := Bucketed([]Bucket{{1, 0}, {math.Inf(1), 0}}, 0.99); !math.IsNaN(got) {
		t.Errorf("Bucketed without observations = %v, want NaN", got)
	}
}
