// Package stats reduces the raw figures of a benchmark to the few that are
// printed: percentiles of one run, and the median with the extremes of several.
//
// Guarantee: every figure it returns was measured. Nothing is interpolated,
// averaged between two neighbours or estimated from buckets, with the one
// exception that Bucketed names. It is a leaf: load and report use it.
package stats

import (
	"math"
	"slices"
	"time"
)

// Percentile returns the smallest value v of sorted such that at least the
// share p (0 < p <= 1) of all values is no larger than v: the nearest-rank
// percentile. It returns 0 for no values.
func Percentile[T any](sorted []T, p float64) T {
	var zero T
	if len(sorted) == 0 {
		return zero
	}
	// The subtraction keeps 0.99*100 = 99.00000000000001 from reaching for rank 100.
	rank := int(math.Ceil(p*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Latency is the distribution of one run's durations.
type Latency struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Summarise sorts samples in place and returns their distribution.
func Summarise(samples []time.Duration) Latency {
	slices.Sort(samples)
	return Latency{
		Count: len(samples),
		P50:   Percentile(samples, 0.50),
		P90:   Percentile(samples, 0.90),
		P99:   Percentile(samples, 0.99),
		P999:  Percentile(samples, 0.999),
		Max:   Percentile(samples, 1),
	}
}

// Spread is what several runs of one measurement gave.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`
}

// Over returns the spread of one figure per run. The median of an even number
// of runs is the lower of the two in the middle: a figure that was measured.
// The zero Spread stands for no runs.
func Over(runs []float64) Spread {
	if len(runs) == 0 {
		return Spread{}
	}
	sorted := slices.Clone(runs)
	slices.Sort(sorted)
	return Spread{
		Median: Percentile(sorted, 0.5),
		Min:    sorted[0],
		Max:    sorted[len(sorted)-1],
		Runs:   len(sorted),
	}
}

// Of picks one figure out of every run and returns the spread of it.
func Of[R any](runs []R, figure func(R) float64) Spread {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = figure(r)
	}
	return Over(values)
}

// Bucket is one cumulative bucket of a Prometheus histogram: Count
// observations were no larger than UpTo (+Inf in the last).
type Bucket struct {
	UpTo  float64
	Count float64
}

// Bucketed returns the upper bound of the bucket in which the percentile p
// falls: the true percentile is no larger. Buckets are in rising order of
// UpTo. It returns NaN when nothing was observed.
func Bucketed(buckets []Bucket, p float64) float64 {
	if len(buckets) == 0 || buckets[len(buckets)-1].Count <= 0 {
		return math.NaN()
	}
	rank := math.Ceil(p*buckets[len(buckets)-1].Count - 1e-9)
	for _, b := range buckets {
		if b.Count >= rank {
			return b.UpTo
		}
	}
	return buckets[len(buckets)-1].UpTo
}
