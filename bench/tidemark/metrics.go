package tidemark

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tidemark-dev/tidemark/bench/stats"
)

// Histogram returns the cumulative buckets of a histogram in /metrics, summed
// over all series whose labels contain every one of the given `name="value"`.
// There are none if the server has no such histogram.
func (s *Server) Histogram(ctx context.Context, name string, labels ...string) ([]stats.Bucket, error) {
	text, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	return parseHistogram(text, name, labels)
}

func parseHistogram(text []byte, name string, labels []string) ([]stats.Bucket, error) {
	var buckets []stats.Bucket
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		series, found := strings.CutPrefix(lines.Text(), name+"_bucket{")
		end := strings.LastIndexByte(series, '}')
		if !found || end < 0 || !all(series[:end], labels) {
			continue
		}
		_, bound, _ := strings.Cut(series[:end], `le="`)
		bound, _, _ = strings.Cut(bound, `"`)
		upTo, err := parseBound(bound)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", lines.Text(), err)
		}
		count, err := strconv.ParseFloat(strings.TrimSpace(series[end+1:]), 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", lines.Text(), err)
		}
		buckets = add(buckets, upTo, count)
	}
	return buckets, lines.Err()
}

func all(series string, labels []string) bool {
	for _, label := range labels {
		if !strings.Contains(series, label) {
			return false
		}
	}
	return true
}

func parseBound(word string) (float64, error) {
	if word == "+Inf" {
		return math.Inf(1), nil
	}
	return strconv.ParseFloat(word, 64)
}

// add adds to the bucket of a bound. Every series lists its bounds in rising order.
func add(buckets []stats.Bucket, upTo, count float64) []stats.Bucket {
	for i := range buckets {
		if buckets[i].UpTo == upTo {
			buckets[i].Count += count
			return buckets
		}
	}
	return append(buckets, stats.Bucket{UpTo: upTo, Count: count})
}

// Since returns what a histogram counted between two looks at it.
func Since(before, after []stats.Bucket) []stats.Bucket {
	counted := map[float64]float64{}
	for _, b := range before {
		counted[b.UpTo] = b.Count
	}
	out := make([]stats.Bucket, len(after))
	for i, b := range after {
		out[i] = stats.Bucket{UpTo: b.UpTo, Count: b.Count - counted[b.UpTo]}
	}
	return out
}
